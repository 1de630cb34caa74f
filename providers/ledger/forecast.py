"""Where a budget's window leads if spending goes on as it has so far. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

SHORTEST = timedelta(hours=1)
"""Of a window that is younger nothing is said."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """`runs_out_at` None: not before the window ends. `at_end_nano` None: it never ends."""

    runs_out_at: datetime | None
    at_end_nano: int | None


@dataclass(frozen=True, slots=True)
class Course:
    """`spent_nano` since `starts_at`. Nano-dollars."""

    limit_nano: int
    spent_nano: int
    starts_at: datetime
    ends_at: datetime | None


def forecast(course: Course, now: datetime) -> Forecast | None:
    """Go on evenly. None: too early to say, or used up already."""
    elapsed = now - course.starts_at
    if elapsed < SHORTEST or course.spent_nano >= course.limit_nano:
        return None
    end = course.ends_at
    at_end = None
    if end is not None:
        at_end = course.spent_nano * ((end - course.starts_at) // _STEP) // (elapsed // _STEP)
    return Forecast(_runs_out(course, elapsed, now), at_end)


def _runs_out(course: Course, elapsed: timedelta, now: datetime) -> datetime | None:
    if course.spent_nano <= 0:
        return None
    left = course.limit_nano - course.spent_nano
    steps = left * (elapsed // _STEP) // course.spent_nano
    if steps > _FAR // _STEP:
        return None
    at = now + steps * _STEP
    return at if course.ends_at is None or at < course.ends_at else None


_STEP = timedelta(seconds=1)
_FAR = timedelta(days=3650)
