"""When a budget's window begins and ends: a pure function of its cycle and now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

EPOCH = datetime.fromtimestamp(0, UTC)
LAST_START = {"week": 7, "month": 28}
"""The last day on which a period may start; the others start with their day."""


@dataclass(frozen=True, slots=True)
class Cycle:
    """`starts_on`: of a week its day from Monday, 1 to 7; of a month 1 to 28; else 1."""

    period: str
    time_zone: str
    starts_on: int = 1


@dataclass(frozen=True, slots=True)
class Span:
    """Without `ends_at`, which is None for what never ends."""

    starts_at: datetime
    ends_at: datetime | None


def window_at(cycle: Cycle, now: datetime) -> Span:
    """Give the window that `now` falls into; the ledger's own functions in SQL say the same."""
    if cycle.period == "total":
        return Span(EPOCH, None)
    zone = ZoneInfo(cycle.time_zone)
    # Both ways over days: a shift by hours would move where clocks change.
    shift = timedelta(days=cycle.starts_on - 1)
    first = _first(cycle.period, now.astimezone(zone).date() - shift)
    return Span(
        _instant(first + shift, zone), _instant(_following(cycle.period, first) + shift, zone)
    )


def _first(period: str, day: date) -> date:
    if period == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if period == "month" else day


def _following(period: str, first: date) -> date:
    if period == "month":
        return (first + timedelta(days=31)).replace(day=1)
    return first + timedelta(days=7 if period == "week" else 1)


def _instant(day: date, zone: ZoneInfo) -> datetime:
    """Give its first instant: of a midnight that comes twice the first, of none what follows it."""
    return datetime.combine(day, time(), zone).astimezone(UTC)
