"""Tokens, prices and exact cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from typing import Any

NANO_PER_USD = 1_000_000_000
# The field's rule of thumb: four bytes of text make a token.
BYTES_PER_TOKEN = 4
# Dollars per million tokens x 1000 = nano-dollars per token.
_NANO_PER_TOKEN = Decimal(1000)
# Dollars per thousand searches x 1,000,000 = nano-dollars per search.
_NANO_PER_SEARCH = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer, in inclusive buckets as the field reports them.

    Cache reads, cache writes and heard audio are part of `input_tokens`; reasoning and spoken audio
    are part of `output_tokens`. `cache_write_1h_tokens` are those of the writes that live for an
    hour; the others live for minutes. `server_tool_calls` ran at the provider's, `web_searches` are
    those of them that are billed one by one.
    `estimated` is true when we counted because the provider did not say; `estimated_figures` then
    names the fields that we counted, and empty means all of them.
    """

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False
    cache_write_1h_tokens: int = 0
    input_audio_tokens: int = 0
    output_audio_tokens: int = 0
    web_searches: int = 0
    server_tool_calls: int = 0
    estimated_figures: tuple[str, ...] = ()


def estimated(*, input_bound: int, output_bytes: int, output_bound: int) -> Usage:
    """Usage of an answer whose provider did not say: a quarter of the bytes, rounded up.

    `input_bound` is the safe bound of the prompt, one token a byte; so is the hold, and an
    estimate never exceeds what was held. Streamed bytes count text, reasoning and arguments.
    """
    return Usage(
        input_tokens=tokens_of(input_bound),
        output_tokens=min(tokens_of(output_bytes), output_bound),
        estimated=True,
    )


def total(usages: Iterable[Usage | None]) -> Usage | None:
    """Add up what several steps used; None where none of them used anything."""
    known = [usage for usage in usages if usage is not None]
    if len(known) < 2:
        return known[0] if known else None
    counts: dict[str, Any] = {
        each.name: sum(getattr(usage, each.name) for usage in known)
        for each in fields(Usage)
        if each.type == "int"
    }
    guesses = [usage.estimated_figures for usage in known if usage.estimated]
    figures = () if () in guesses else tuple(sorted({name for each in guesses for name in each}))
    return Usage(**counts, estimated=bool(guesses), estimated_figures=figures)


def dollars(nano: int | None) -> str | None:
    """Write nano-dollars as a decimal string with all nine places; None: unknown."""
    if nano is None:
        return None
    whole, rest = divmod(abs(nano), NANO_PER_USD)
    return f"{'-' if nano < 0 else ''}{whole}.{rest:09d}"


def tokens_of(size_in_bytes: int) -> int:
    return -(-size_in_bytes // BYTES_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class Price:
    """What a deployment asks, in USD per million tokens.

    A cache or audio price of None means that class is billed like the plain one; of an hour's cache
    write, like any other write. `web_search` is in USD per thousand searches, None: a search costs
    its tokens only. `version` names the source and its date, so that an entry of the ledger can be
    computed again. `tiers`, ascending: beyond so many input tokens that price holds for all tokens
    of the answer.
    """

    input: Decimal
    output: Decimal
    version: str
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    tiers: tuple[tuple[int, Price], ...] = ()
    cache_write_1h: Decimal | None = None
    input_audio: Decimal | None = None
    output_audio: Decimal | None = None
    web_search: Decimal | None = None

    def cost_nano(self, usage: Usage) -> int:
        """Nano-dollars of `usage`, rounded once, half up."""
        reached = [price for beyond, price in self.tiers if usage.input_tokens > beyond]
        if reached:
            return reached[-1].cost_nano(usage)
        nano = (self._input(usage) + self._output(usage)) * _NANO_PER_TOKEN
        if usage.web_searches:
            nano += self._searches(usage.web_searches)
        return int(nano.quantize(Decimal(1), ROUND_HALF_UP))

    def classes(self, usage: Usage) -> list[tuple[str, int, Decimal]]:
        """Split a usage into what is billed: class, count and rate, for a receipt.

        Rates are USD per million tokens; of `web_search` per thousand. Their sum is the cost before
        it is rounded. Classes of which nothing was used are left out.
        """
        reached = [price for beyond, price in self.tiers if usage.input_tokens > beyond]
        if reached:
            return reached[-1].classes(usage)
        long = min(usage.cache_write_1h_tokens, usage.cache_write_tokens)
        cached = usage.cache_read_tokens + usage.cache_write_tokens
        heard = min(usage.input_audio_tokens, max(usage.input_tokens - cached, 0))
        spoken = min(usage.output_audio_tokens, usage.output_tokens)
        write = _or(self.cache_write, self.input)
        split = [
            ("input", max(usage.input_tokens - cached - heard, 0), self.input),
            ("input_audio", heard, _or(self.input_audio, self.input)),
            ("cache_read", usage.cache_read_tokens, _or(self.cache_read, self.input)),
            ("cache_write", usage.cache_write_tokens - long, write),
            ("cache_write_1h", long, _or(self.cache_write_1h, write)),
            ("output", usage.output_tokens - spoken, self.output),
            ("output_audio", spoken, _or(self.output_audio, self.output)),
            ("web_search", usage.web_searches, self.web_search or Decimal(0)),
        ]
        return [each for each in split if each[1]]

    def worst_case_nano(
        self,
        input_tokens: int,
        output_tokens: int,
        *,
        with_audio: bool = True,
        web_searches: int = 0,
    ) -> int:
        """Nano-dollars that an attempt of this size can cost at most, rounded up.

        `with_audio` False: neither prompt nor answer can hold sound, which is dearer than text.
        """
        heard, spoken = (self.input_audio, self.output_audio) if with_audio else (None, None)
        classes = _known(self.cache_read, self.cache_write, self.cache_write_1h, heard)
        dearest_input = max([self.input, *classes])
        dearest_output = max([self.output, *_known(spoken)])
        nano = (dearest_input * input_tokens + dearest_output * output_tokens) * _NANO_PER_TOKEN
        nano += self._searches(web_searches)
        here = int(nano.quantize(Decimal(1), ROUND_CEILING))
        # `input_tokens` is an upper bound: the cheaper tiers below it may hold as well.
        tiers = [price for beyond, price in self.tiers if input_tokens > beyond]
        return max([
            here,
            *(
                price.worst_case_nano(
                    input_tokens, output_tokens, with_audio=with_audio, web_searches=web_searches
                )
                for price in tiers
            ),
        ])

    def _input(self, usage: Usage) -> Decimal:
        """Weigh the classes of the prompt; a heard token from the cache is counted once."""
        short = max(usage.cache_write_tokens - usage.cache_write_1h_tokens, 0)
        long = usage.cache_write_tokens - short
        cached = usage.cache_read_tokens + usage.cache_write_tokens
        heard = min(usage.input_audio_tokens, max(usage.input_tokens - cached, 0))
        if not cached and not heard:
            return self.input * usage.input_tokens
        plain = max(usage.input_tokens - cached - heard, 0)
        write = _or(self.cache_write, self.input)
        return (
            self.input * plain
            + _or(self.input_audio, self.input) * heard
            + _or(self.cache_read, self.input) * usage.cache_read_tokens
            + write * short
            + _or(self.cache_write_1h, write) * long
        )

    def _output(self, usage: Usage) -> Decimal:
        spoken = min(usage.output_audio_tokens, usage.output_tokens)
        if not spoken:
            return self.output * usage.output_tokens
        plain = usage.output_tokens - spoken
        return self.output * plain + _or(self.output_audio, self.output) * spoken

    def _searches(self, count: int) -> Decimal:
        return (self.web_search or Decimal(0)) * count * _NANO_PER_SEARCH


def _or(price: Decimal | None, plain: Decimal) -> Decimal:
    return plain if price is None else price


def _known(*prices: Decimal | None) -> list[Decimal]:
    return [price for price in prices if price is not None]
