"""Stretches of whole days in the reporting time zone, as chosen in a page's address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from providers.models import Organisation
from providers.reports.spending import Span

CHOICES = {
    "today": "Today",
    "7d": "7 days",
    "30d": "30 days",
    "month": "This month",
    "last-month": "Last month",
    "custom": "Custom",
}
DEFAULT = "30d"
LONGEST = timedelta(days=366)


class PeriodError(ValueError):
    """The message says in words what to choose instead."""


@dataclass(frozen=True, slots=True)
class Period:
    """A span of whole days in the reporting time zone, and the choice that made it."""

    choice: str
    span: Span

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.span.time_zone)

    @property
    def is_one_day(self) -> bool:
        return self.span.first == self.span.last

    @property
    def label(self) -> str:
        first, last = self.span.first, self.span.last
        if first == last:
            return f"{first.day} {first:%b %Y}"
        start = f"{first.day} {first:%b}" + (f" {first:%Y}" if first.year != last.year else "")
        return f"{start} to {last.day} {last:%b %Y}"

    def hours(self) -> list[datetime]:
        """Start of every hour; a day on which the clocks change has 23 or 25 of them."""
        start = _midnight(self.span.first, self.zone)
        end = _midnight(self.span.last + timedelta(days=1), self.zone)
        count = int((end - start) / timedelta(hours=1))
        return [(start + timedelta(hours=n)).astimezone(self.zone) for n in range(count)]


def chosen(query: Mapping[str, str], *, zone: ZoneInfo, now: datetime) -> Period:
    """Read `period`, `from` and `to`; what is missing is the last 30 days. Raises PeriodError."""
    today = now.astimezone(zone).date()
    choice = query.get("period", DEFAULT)
    if choice == "custom":
        first, last = _day(query, "from"), min(_day(query, "to"), today)
        if first > last:
            raise PeriodError("The first day must not be after the last, nor in the future.")
        if last - first >= LONGEST:
            raise PeriodError("Choose at most a year.")
        return Period(choice, Span(first, last, zone.key))
    if choice not in CHOICES:
        raise PeriodError(f"Choose one of: {', '.join(CHOICES.values())}.")
    return Period(choice, Span(*_days(choice, today), zone.key))


def reporting_zone() -> ZoneInfo:
    """Give the one in which every report counts its days."""
    name = Organisation.objects.values_list("time_zone", flat=True).first()
    return ZoneInfo(name or "UTC")


def default(*, zone: ZoneInfo, now: datetime) -> Period:
    return chosen({}, zone=zone, now=now)


def _days(choice: str, today: date) -> tuple[date, date]:
    if choice == "last-month":
        last = today.replace(day=1) - timedelta(days=1)
        return last.replace(day=1), last
    back = {"today": 0, "7d": 6, "30d": 29, "month": today.day - 1}[choice]
    return today - timedelta(days=back), today


def _day(query: Mapping[str, str], name: str) -> date:
    try:
        return date.fromisoformat(query.get(name, ""))
    except ValueError:
        raise PeriodError("Give both days as year-month-day, such as 2026-11-22.") from None


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)
