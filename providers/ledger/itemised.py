"""A receipt line by line: what was used at which price, what was held, and which budgets paid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from providers.catalog import price_versions
from providers.engine.call import MOST_STEPS, step_id
from providers.engine.codes import row_of_code
from providers.engine.usage import Price, Usage
from providers.ledger.corrections import CORRECTION
from providers.ledger.receipts import Receipt, entries_of_request, total_of
from providers.ledger.recompute import usage_of
from providers.ledger.refusals import budget_name
from providers.models import Entry, Reservation

_MILLION, _THOUSAND = 1_000_000, 1_000
_BUDGETS = """
SELECT b.scope, b.period, coalesce(t.name, p.email, k.prefix, nullif(b.tag, '')), b.is_hard,
    b.limit_nano, w.starts_at, w.ends_at, w.spent_nano, w.held_nano, w.id
FROM providers_budgetwindow w JOIN providers_budget b ON b.id = w.budget_id
LEFT JOIN providers_team t ON t.id = b.team_id
LEFT JOIN providers_user p ON p.id = b.user_id
LEFT JOIN providers_virtualkey k ON k.id = b.key_id
WHERE w.id = ANY (%s) ORDER BY w.id
"""


@dataclass(frozen=True, slots=True)
class Line:
    """`count` of a class at `rate_usd` for each `per` of it. `cost_usd` is exact, not rounded."""

    name: str
    count: int
    rate_usd: Decimal
    per: int

    @property
    def cost_usd(self) -> Decimal:
        return self.rate_usd * self.count / self.per


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt, or what stands in its place. `lines` empty: nothing used, or no price known.

    `kept_usd` is what reads from the provider's cache saved against its plain price.
    """

    step: int
    entry: Entry
    usage: Usage | None
    lines: tuple[Line, ...]
    kept_usd: Decimal

    @property
    def reason(self) -> str:
        """Why it failed, in a few words; empty: it did not."""
        row = row_of_code(self.entry.error_code)
        return row.title if row is not None else self.entry.error_code


@dataclass(frozen=True, slots=True)
class Hold:
    """Of one step. `released_nano` None: still held; below 0: it cost more than was held."""

    step: int
    reservation: Reservation
    cost_nano: int

    @property
    def released_nano(self) -> int | None:
        if self.reservation.settled_at is None:
            return None
        return (self.reservation.held_nano or 0) - self.cost_nano


@dataclass(frozen=True, slots=True)
class Carried:
    """A budget's window that carried the request, as it is now. `share_nano`: of this request.

    Counters keep no history, so before and after are told as without and with this request.
    """

    name: str
    is_hard: bool
    limit_nano: int
    starts_at: datetime
    ends_at: datetime | None
    spent_nano: int
    held_nano: int
    share_nano: int

    @property
    def left_nano(self) -> int:
        return max(0, self.limit_nano - self.spent_nano - self.held_nano)

    @property
    def left_without_nano(self) -> int:
        return max(0, self.limit_nano - self.spent_nano - self.held_nano + self.share_nano)


@dataclass(frozen=True, slots=True)
class Itemised:
    """`first` is the run's first reservation. `total` None: nothing is booked (yet).

    `saved_nano` is what an answer of our own cache did not cost, `kept_usd` what the provider's
    cache made cheaper.
    """

    id: UUID
    first: Reservation
    total: Receipt | None
    holds: tuple[Hold, ...]
    tries: tuple[Tried, ...]
    corrections: tuple[Entry, ...]
    budgets: tuple[Carried, ...]
    saved_nano: int
    kept_usd: Decimal

    @property
    def state(self) -> str:
        """One of in flight, settled, expired, released."""
        if any(hold.reservation.settled_at is None for hold in self.holds):
            return "in flight"
        if any(tried.entry.status == "expired" for tried in self.tries):
            return "expired"
        return "settled" if self.tries else "released"

    @property
    def is_estimated(self) -> bool:
        return any(tried.entry.is_estimated for tried in self.tries)

    @property
    def held_nano(self) -> int:
        return sum(hold.reservation.held_nano or 0 for hold in self.holds)


def of_request(any_id: UUID) -> Itemised | None:
    """Gather a request with all its steps, by its id or a step's. None: the ledger has none."""
    run_id = _run_of(any_id)
    if run_id is None:
        return None
    last = step_id(run_id, MOST_STEPS)
    found = Reservation.objects.filter(pk__gte=run_id, pk__lte=last).order_by("pk")
    reservations = list(found.select_related("team", "user", "key"))
    entries = list(entries_of_request(run_id))
    prices = price_versions.find(entry.price_version for entry in entries)
    tries = tuple(_tried(run_id, entry, prices) for entry in entries if entry.status != CORRECTION)
    return Itemised(
        id=run_id,
        first=reservations[0],
        total=total_of(entries),
        holds=tuple(_hold(run_id, each, entries) for each in reservations),
        tries=tries,
        corrections=tuple(entry for entry in entries if entry.status == CORRECTION),
        budgets=_budgets(reservations, entries),
        saved_nano=sum(entry.saved_nano or 0 for entry in entries),
        kept_usd=sum((tried.kept_usd for tried in tries), Decimal(0)),
    )


def _run_of(any_id: UUID) -> UUID | None:
    """Find the smallest id near it: steps follow each other, and two runs do not meet."""
    earliest = UUID(int=max(0, any_id.int - MOST_STEPS + 1))
    if not Reservation.objects.filter(pk=any_id).exists():
        return None
    near = Reservation.objects.filter(pk__gte=earliest, pk__lte=any_id)
    return near.order_by("pk").values_list("pk", flat=True).first()


def _tried(run_id: UUID, entry: Entry, prices: Mapping[str, Price]) -> Tried:
    usage = usage_of(entry)
    price = prices.get(entry.price_version)
    step = entry.reservation_id.int - run_id.int + 1
    if usage is None or price is None or entry.is_cached:
        return Tried(step, entry, usage, (), Decimal(0))
    lines = tuple(
        Line(name, count, rate, _THOUSAND if name == "web_search" else _MILLION)
        for name, count, rate in price.classes(usage)
    )
    return Tried(step, entry, usage, lines, _kept(price, usage))


def _kept(price: Price, usage: Usage) -> Decimal:
    dearer = price.classes(Usage(usage.input_tokens, 0))
    cheaper = price.classes(Usage(usage.input_tokens, 0, cache_read_tokens=usage.cache_read_tokens))
    return _sum(dearer) - _sum(cheaper)


def _sum(classes: Sequence[tuple[str, int, Decimal]]) -> Decimal:
    return sum((rate * count / _MILLION for _, count, rate in classes), Decimal(0))


def _hold(run_id: UUID, reservation: Reservation, entries: Sequence[Entry]) -> Hold:
    cost = sum(
        entry.cost_nano or 0
        for entry in entries
        if entry.reservation_id == reservation.pk and entry.status != CORRECTION
    )
    return Hold(reservation.pk.int - run_id.int + 1, reservation, cost)


def _budgets(reservations: Sequence[Reservation], entries: Sequence[Entry]) -> tuple[Carried, ...]:
    shares: dict[int, int] = {}
    for reservation in reservations:
        own = [each for each in entries if each.reservation_id == reservation.pk]
        booked = sum(each.cost_nano or 0 for each in own)
        open_nano = 0 if reservation.settled_at else reservation.held_nano or 0
        for window in reservation.windows:
            shares[window] = shares.get(window, 0) + booked + open_nano
    with connection.cursor() as cursor:
        cursor.execute(_BUDGETS, [list(shares)])
        rows = cursor.fetchall()
    return tuple(_carried(row, shares) for row in rows)


def _carried(row: tuple[Any, ...], shares: Mapping[int, int]) -> Carried:
    scope, period, owner, is_hard, limit, starts_at, ends_at, spent, held, window = row
    name = budget_name(scope, period, owner)
    return Carried(name, is_hard, limit, starts_at, ends_at, spent, held, shares[window])
