"""Is what was booked what its usage costs by its price? Computed again, from the rows alone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from providers.catalog import price_versions
from providers.engine.usage import Price, Usage
from providers.ledger.corrections import CORRECTION
from providers.ledger.receipts import entries_of_request
from providers.models import Entry, Reservation

COUNTS = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "web_searches",
    "server_tool_calls",
)


class Verdict(StrEnum):
    """`BY_RULE`: the hold was booked, or what it had left; nobody told a usage.

    `SHARE`: its part of a request that several made; whole tokens were shared out, so that it fits
    within the price of one. `PRICE_UNKNOWN`: this price version was never written down here.
    `BY_HAND`: an owner's correction, which no price explains.
    """

    SAME = "same"
    SHARE = "share"
    BY_RULE = "by rule"
    BY_HAND = "by hand"
    DIFFERS = "differs"
    PRICE_UNKNOWN = "price unknown"


@dataclass(frozen=True, slots=True)
class Recomputed:
    """`booked_nano` None: no known cost; `computed_nano` None too: nor can one be computed."""

    entry: Entry
    verdict: Verdict
    computed_nano: int | None

    @property
    def booked_nano(self) -> int | None:
        return self.entry.cost_nano


def of_request(request_id: UUID) -> list[Recomputed]:
    """Compute every entry of a request, of all its steps. Empty: nothing is booked."""
    entries = list(entries_of_request(request_id))
    prices = price_versions.find(entry.price_version for entry in entries)
    holds = dict(
        Reservation.objects.filter(pk__in={entry.reservation_id for entry in entries}).values_list(
            "pk", "held_nano"
        )
    )
    return [_of_entry(entry, prices, holds.get(entry.reservation_id)) for entry in entries]


def usage_of(entry: Entry) -> Usage | None:
    """Give the usage that an entry was computed of. None: nobody knows it, or nothing was used."""
    if entry.input_tokens is None or entry.output_tokens is None:
        return None
    # A figure that the row does not have was not recorded, and not charged, in its days.
    counts: dict[str, Any] = {name: getattr(entry, name) or 0 for name in COUNTS}
    return Usage(
        **counts,
        estimated=entry.is_estimated,
        estimated_figures=tuple(entry.estimated_figures or ()),
    )


def _of_entry(entry: Entry, prices: dict[str, Price], held_nano: int | None) -> Recomputed:
    usage = usage_of(entry)
    if entry.status == CORRECTION:
        return Recomputed(entry, Verdict.BY_HAND, entry.cost_nano)
    if entry.is_unconfirmed:
        return _by_rule(entry, held_nano)
    return _by_price(entry, prices, usage)


def _by_price(entry: Entry, prices: dict[str, Price], usage: Usage | None) -> Recomputed:
    if entry.is_cached or usage is None:
        return _compared(entry, 0)
    if not entry.price_version:
        return _compared(entry, None)
    price = prices.get(entry.price_version)
    if price is None:
        return Recomputed(entry, Verdict.PRICE_UNKNOWN, None)
    return _priced(entry, price, usage)


def _priced(entry: Entry, price: Price, usage: Usage) -> Recomputed:
    computed = price.cost_nano(usage)
    if entry.is_share and entry.cost_nano not in (None, computed):
        one_more = Usage(usage.input_tokens + 1, usage.output_tokens)
        token_nano = price.cost_nano(one_more) - price.cost_nano(usage)
        if abs(entry.cost_nano - computed) <= token_nano + 1:
            return Recomputed(entry, Verdict.SHARE, computed)
    return _compared(entry, computed)


def _compared(entry: Entry, computed: int | None) -> Recomputed:
    verdict = Verdict.SAME if entry.cost_nano == computed else Verdict.DIFFERS
    return Recomputed(entry, verdict, computed)


def _by_rule(entry: Entry, held_nano: int | None) -> Recomputed:
    """Expect an expired hold booked whole, a silent attempt at no more than the hold."""
    if entry.status == "expired":
        fits = entry.cost_nano == held_nano
    else:
        fits = entry.cost_nano is None or 0 <= entry.cost_nano <= (held_nano or 0)
    return Recomputed(entry, Verdict.BY_RULE if fits else Verdict.DIFFERS, held_nano)
