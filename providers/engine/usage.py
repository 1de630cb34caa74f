"""Tokens, prices and exact cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal

NANO_PER_USD = 1_000_000_000
# The field's rule of thumb: four bytes of text make a token.
BYTES_PER_TOKEN = 4
# Dollars per million tokens x 1000 = nano-dollars per token.
_NANO_PER_TOKEN = Decimal(1000)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer, in inclusive buckets as the field reports them.

    Cache reads and writes are part of `input_tokens`; reasoning is part of `output_tokens`.
    `estimated` is true when we counted because the provider did not say.
    """

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False


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
    counts = {
        each.name: sum(getattr(usage, each.name) for usage in known)
        for each in fields(Usage)
        if each.type == "int"
    }
    return Usage(**counts, estimated=any(usage.estimated for usage in known))


def dollars(nano: int | None) -> str | None:
    """Write nano-dollars as a decimal string with all nine places; None: unknown."""
    return None if nano is None else f"{Decimal(nano) / NANO_PER_USD:.9f}"


def tokens_of(size_in_bytes: int) -> int:
    return -(-size_in_bytes // BYTES_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class Price:
    """What a deployment asks, in USD per million tokens.

    A cache price of None means that class is billed like plain input. `version` names the source
    and its date, so that an entry of the ledger can be computed again. `tiers`, ascending: beyond
    so many input tokens that price holds for all tokens of the answer.
    """

    input: Decimal
    output: Decimal
    version: str
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    tiers: tuple[tuple[int, Price], ...] = ()

    def cost_nano(self, usage: Usage) -> int:
        """Nano-dollars of `usage`, rounded once, half up."""
        reached = [price for beyond, price in self.tiers if usage.input_tokens > beyond]
        if reached:
            return reached[-1].cost_nano(usage)
        plain = usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens
        dollars_per_million = (
            self.input * max(plain, 0)
            + self._or_input(self.cache_read) * usage.cache_read_tokens
            + self._or_input(self.cache_write) * usage.cache_write_tokens
            + self.output * usage.output_tokens
        )
        return int((dollars_per_million * _NANO_PER_TOKEN).quantize(Decimal(1), ROUND_HALF_UP))

    def worst_case_nano(self, input_tokens: int, output_tokens: int) -> int:
        """Nano-dollars that an attempt of this size can cost at most, rounded up."""
        dearest_input = max(
            self.input, self._or_input(self.cache_read), self._or_input(self.cache_write)
        )
        dollars_per_million = dearest_input * input_tokens + self.output * output_tokens
        here = int((dollars_per_million * _NANO_PER_TOKEN).quantize(Decimal(1), ROUND_CEILING))
        # `input_tokens` is an upper bound: the cheaper tiers below it may hold as well.
        tiers = [price for beyond, price in self.tiers if input_tokens > beyond]
        return max([here, *(price.worst_case_nano(input_tokens, output_tokens) for price in tiers)])

    def _or_input(self, price: Decimal | None) -> Decimal:
        return self.input if price is None else price
