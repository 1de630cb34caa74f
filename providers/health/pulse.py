"""The verdict for the bar of every page, read at most every few seconds in each process."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from django.core.cache import cache

from providers.engine.ports import BreakerState
from providers.health import board
from providers.health.board import Verdict

FRESH = timedelta(seconds=5)
KEPT = timedelta(minutes=2)
_KEY = "gaiweb:pulse"


def read(now: datetime, breakers: Callable[[], Iterable[BreakerState]]) -> Verdict:
    known: tuple[datetime, Verdict] | None = cache.get(_KEY)
    if known is not None and now - known[0] < FRESH:
        return known[1]
    found = board.summary(now, breakers())
    cache.set(_KEY, (now, found), KEPT.total_seconds())
    return found


def known() -> Verdict | None:
    """Give what was read last, without a question to the database; None: too long ago."""
    found: tuple[datetime, Verdict] | None = cache.get(_KEY)
    return found[1] if found else None
