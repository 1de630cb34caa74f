"""Which level a score asks for: down at once, up one rung at a time and not too soon."""

from __future__ import annotations

from dataclasses import dataclass

from providers.engine.levels import Level
from providers.engine.policy import Policy


@dataclass(frozen=True, slots=True)
class Ladder:
    """A level applies below its score, 0..1.

    It is left upwards when the score is `margin` above that and the level has been in force for
    `dwell_s`: a score that wavers around a limit does not make the level waver.
    """

    simplified_below: float = 0.9
    essential_below: float = 0.7
    emergency_below: float = 0.5
    margin: float = 0.03
    dwell_s: float = 30.0

    def of(self, policy: Policy) -> Ladder:
        """Give a team's ladder: what it has not set is as for all, a lower rung never higher."""
        simplified = _own(policy.simplified_below, self.simplified_below)
        essential = min(_own(policy.essential_below, self.essential_below), simplified)
        emergency = min(_own(policy.emergency_below, self.emergency_below), essential)
        return Ladder(simplified, essential, emergency, self.margin, self.dwell_s)

    def next(self, current: Level, held_s: float, score: float) -> Level:
        """Say what comes after `current`, in force for `held_s` seconds so far."""
        asked = self.entered(score)
        if asked.rank > current.rank:
            return asked
        may_rise = held_s >= self.dwell_s and score >= self._leaves_at(current)
        return current.better if may_rise else current

    def entered(self, score: float) -> Level:
        if score >= self.simplified_below:
            return Level.FULL
        if score >= self.essential_below:
            return Level.SIMPLIFIED
        return Level.ESSENTIAL if score >= self.emergency_below else Level.EMERGENCY

    def limit(self, level: Level) -> float:
        """Give the score below which `level` applies; 1 for full, which always does."""
        limits = {
            Level.FULL: 1.0,
            Level.SIMPLIFIED: self.simplified_below,
            Level.ESSENTIAL: self.essential_below,
            Level.EMERGENCY: self.emergency_below,
        }
        return limits[level]

    def _leaves_at(self, level: Level) -> float:
        # A perfect score must always lead out.
        return min(self.limit(level) + self.margin, 1.0)


def _own(wish: float | None, common: float) -> float:
    return common if wish is None else wish
