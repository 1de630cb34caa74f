"""Stretches of whole days in the reporting time zone, as chosen in a page's address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from providers.models import Organisation
from providers.reports.question import Span

CHOICES = {
    "today": "Today",
    "yesterday": "Yesterday",
    "7d": "7 days",
    "30d": "30 days",
    "90d": "90 days",
    "month": "This month",
    "last-month": "Last month",
    "quarter": "This quarter",
    "custom": "Custom",
}
DEFAULT = "30d"
LONGEST = timedelta(days=366)
_DAY = timedelta(days=1)


class PeriodError(ValueError):
    """The message says in words what to choose instead."""


class Bucket(StrEnum):
    """What a bar of a chart stands for."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"

    def start_of(self, day: date) -> date:
        if self is Bucket.WEEK:
            return day - timedelta(days=day.weekday())
        return day.replace(day=1) if self is Bucket.MONTH else day


@dataclass(frozen=True, slots=True)
class Period:
    """A span of whole days in the reporting time zone, and the choice that made it."""

    choice: str
    span: Span

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.span.time_zone)

    @property
    def bucket(self) -> Bucket:
        """As fine as leaves a bar room on a screen."""
        days = (self.span.last - self.span.first).days + 1
        if days <= 2:
            return Bucket.HOUR
        if days <= 92:
            return Bucket.DAY
        return Bucket.WEEK if days <= 184 else Bucket.MONTH

    @property
    def label(self) -> str:
        return label_of(self.span)

    @property
    def before(self) -> Span:
        """What it is compared with: as many days just before, or those of the month before.

        This month and this quarter are compared with as many days of the one before.
        """
        first, last = self.span.first, self.span.last
        if self.choice == "last-month":
            return Span(_months_before(first, 1), first - _DAY, self.span.time_zone)
        if self.choice in {"month", "quarter"}:
            start = _months_before(first, 1 if self.choice == "month" else 3)
            return Span(start, min(start + (last - first), first - _DAY), self.span.time_zone)
        return Span(first - (last - first) - _DAY, first - _DAY, self.span.time_zone)

    def hours(self) -> list[datetime]:
        """Start of every hour; a day on which the clocks change has 23 or 25 of them."""
        start = midnight(self.span.first, self.zone)
        end = midnight(self.span.last + _DAY, self.zone)
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


def label_of(span: Span) -> str:
    first, last = span.first, span.last
    if first == last:
        return f"{first.day} {first:%b %Y}"
    start = f"{first.day} {first:%b}" + (f" {first:%Y}" if first.year != last.year else "")
    return f"{start} to {last.day} {last:%b %Y}"


def midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)


def _days(choice: str, today: date) -> tuple[date, date]:
    if choice == "yesterday":
        return today - _DAY, today - _DAY
    if choice == "last-month":
        last = today.replace(day=1) - _DAY
        return last.replace(day=1), last
    if choice == "quarter":
        return _months_before(today.replace(day=1), (today.month - 1) % 3), today
    back = {"today": 0, "7d": 6, "30d": 29, "90d": 89, "month": today.day - 1}[choice]
    return today - timedelta(days=back), today


def _months_before(first: date, months: int) -> date:
    """`first` is the first of a month, and so is the answer."""
    for _ in range(months):
        first = (first - _DAY).replace(day=1)
    return first


def _day(query: Mapping[str, str], name: str) -> date:
    try:
        return date.fromisoformat(query.get(name, ""))
    except ValueError:
        raise PeriodError("Give both days as year-month-day, such as 2026-11-22.") from None
