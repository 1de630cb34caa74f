"""Verdict and levels for the frame of every page, read every few seconds in each process."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.cache import cache

from providers.engine.levels import Level
from providers.engine.ports import BreakerState
from providers.health import board, levels
from providers.health.board import Level as Tone
from providers.health.board import Verdict
from providers.health.levels import Levels, Standing

FRESH = timedelta(seconds=5)
KEPT = timedelta(minutes=2)
_KEY = "gaiweb:pulse"


@dataclass(frozen=True, slots=True)
class Pulse:
    at: datetime
    verdict: Verdict
    levels: Levels

    def verdict_for(self, team_id: int | None, now: datetime) -> Verdict:
        return reduced(self.verdict, self.levels.standing(team_id, now))


def reduced(verdict: Verdict, standing: Standing) -> Verdict:
    """Let a reduced mode speak first: it is what people feel."""
    level = standing.level
    if level is Level.FULL:
        return verdict
    tone = Tone.DOWN if level is Level.EMERGENCY else Tone.DEGRADED
    since = f"The level is {level} since {standing.since:%H:%M} UTC"
    by = f", set by {standing.override.actor}" if standing.override else ""
    return Verdict(tone, f"Reduced mode {level.rank}", f"{since}{by}. {verdict.reason}")


def read(
    now: datetime,
    breakers: Callable[[], Iterable[BreakerState]],
    fresh: timedelta = FRESH,
) -> Pulse:
    pulse = known()
    if pulse is not None and now - pulse.at < fresh:
        return pulse
    found = Pulse(now, board.summary(now, breakers()), levels.read(now))
    cache.set(_KEY, found, KEPT.total_seconds())
    return found


def known() -> Pulse | None:
    """Give what was read last, without a question to the database; None: too long ago."""
    found: Pulse | None = cache.get(_KEY)
    return found


def forget() -> None:
    """Have it read anew: somebody has just set something."""
    cache.delete(_KEY)
