"""What is left of a budget over its window: as it was, at an even pace, and as it may go on.

Across, places are percentages of the width; down, pixels of the plot. Lines are drawn in a box of
100 by `height` that is stretched to its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from providers.ledger.forecast import Course, Forecast
from providers.ledger.money import usd
from providers.reports.charts import Label, Tick, scale

HEIGHT = 200
_TOP, _FOOT = 10.0, 24.0
_WIDE, _NARROW = 8, 3


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the table that says the same: at the end of the day, or now."""

    title: str
    left_nano: int
    even_nano: int
    is_now: bool = False


@dataclass(frozen=True, slots=True)
class BurnDown:
    """Points are `x,y x,y`. `ahead` empty: nothing is foreseen."""

    height: int
    baseline: float
    ticks: tuple[Tick, ...]
    labels: tuple[Label, ...]
    actual: str
    even: str
    ahead: str
    now_x: float
    lines: tuple[Line, ...]
    summary: str


def burn_down(
    course: Course,
    days: Sequence[tuple[date, int]],
    ahead: Forecast | None,
    now: datetime,
    zone: ZoneInfo,
) -> BurnDown | None:
    """Draw it; `days` are what was spent by day, of the zone. None: a window without an end."""
    if course.ends_at is None or course.limit_nano <= 0:
        return None
    plot = _Plot(course, course.ends_at, scale(course.limit_nano)[0])
    moments = _moments(course, days, now, zone)
    return BurnDown(
        height=HEIGHT,
        baseline=plot.y(0),
        ticks=plot.ticks(),
        labels=_labels(plot, zone),
        actual=plot.points(moments),
        even=plot.points([(course.starts_at, course.limit_nano), (course.ends_at, 0)]),
        ahead=plot.points(_ahead(course, ahead, now)),
        now_x=plot.x(now),
        lines=_lines(course, moments, zone),
        summary=_summary(course, moments[-1][1], ahead, zone),
    )


@dataclass(frozen=True, slots=True)
class _Plot:
    course: Course
    ends_at: datetime
    ceiling: int

    def x(self, at: datetime) -> float:
        whole = self.ends_at - self.course.starts_at
        return round(min(1.0, max(0.0, (at - self.course.starts_at) / whole)) * 100, 2)

    def y(self, nano: int) -> float:
        room = HEIGHT - _TOP - _FOOT
        return round(_TOP + room * (1 - min(max(nano, 0), self.ceiling) / self.ceiling), 2)

    def points(self, moments: Sequence[tuple[datetime, int]]) -> str:
        return " ".join(f"{self.x(at)},{self.y(left)}" for at, left in moments)

    def ticks(self) -> tuple[Tick, ...]:
        ceiling, step = scale(self.course.limit_nano)
        return tuple(
            Tick(self.y(value), usd(value).removesuffix(".00"))
            for value in range(0, ceiling + 1, step)
        )


def _moments(
    course: Course, days: Sequence[tuple[date, int]], now: datetime, zone: ZoneInfo
) -> list[tuple[datetime, int]]:
    """Give what was left at the start, at each midnight, and now; the counter has the last word."""
    by_day = dict(days)
    found = [(course.starts_at, course.limit_nano)]
    day, spent = course.starts_at.astimezone(zone).date(), 0
    while (midnight := _midnight(day + timedelta(days=1), zone)) < now:
        spent += by_day.get(day, 0)
        found.append((midnight, course.limit_nano - min(spent, course.spent_nano)))
        day += timedelta(days=1)
    return [*found, (now, course.limit_nano - course.spent_nano)]


def _ahead(course: Course, ahead: Forecast | None, now: datetime) -> list[tuple[datetime, int]]:
    if ahead is None or course.ends_at is None:
        return []
    here = (now, course.limit_nano - course.spent_nano)
    if ahead.runs_out_at is not None:
        return [here, (ahead.runs_out_at, 0)]
    return [here, (course.ends_at, course.limit_nano - (ahead.at_end_nano or 0))]


def _lines(
    course: Course, moments: Sequence[tuple[datetime, int]], zone: ZoneInfo
) -> tuple[Line, ...]:
    found = []
    for place, (at, left) in enumerate(moments):
        is_now = place == len(moments) - 1
        local = at.astimezone(zone)
        title = "Now" if is_now else f"{local:%-d %b}, {local:%H:%M}"
        found.append(Line(title, left, _even(course, at), is_now))
    return tuple(found)


def _even(course: Course, at: datetime) -> int:
    if course.ends_at is None:
        return course.limit_nano
    seconds = timedelta(seconds=1)
    gone, whole = at - course.starts_at, course.ends_at - course.starts_at
    return course.limit_nano - course.limit_nano * (gone // seconds) // (whole // seconds)


def _labels(plot: _Plot, zone: ZoneInfo) -> tuple[Label, ...]:
    first = plot.course.starts_at.astimezone(zone)
    whole = plot.ends_at - plot.course.starts_at
    if whole <= timedelta(days=2):
        hours = [first + timedelta(hours=step) for step in range(0, 24, 6)]
        return tuple(
            Label(plot.x(at), f"{at.astimezone(zone):%H:%M}", on_narrow=at.hour % 12 == 0)
            for at in hours
        )
    count = whole.days
    step = max(1, -(-count // _WIDE))
    return tuple(
        Label(
            plot.x(_midnight(first.date() + timedelta(days=number), zone)),
            f"{first.date() + timedelta(days=number):%-d %b}",
            on_narrow=number % (step * -(-_WIDE // _NARROW)) == 0,
        )
        for number in range(0, count, step)
    )


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, datetime.min.time(), zone)


def _summary(course: Course, left: int, ahead: Forecast | None, zone: ZoneInfo) -> str:
    told = f"{usd(max(0, left))} left of {usd(course.limit_nano)}."
    if ahead is None:
        return told
    if ahead.runs_out_at is not None:
        day = f"{ahead.runs_out_at.astimezone(zone):%-d %B}"
        return f"{told} At this pace it runs out on {day}."
    return f"{told} At this pace it lasts the period."
