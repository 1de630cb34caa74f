"""How much of itself the installation offers now, and what that means for a prompt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from providers.engine.policy import PredefinedAnswer
from providers.engine.routes import Route


class Level(StrEnum):
    """Best first, as in the guide."""

    FULL = "full"
    SIMPLIFIED = "simplified"
    ESSENTIAL = "essential"
    EMERGENCY = "emergency"

    @property
    def rank(self) -> int:
        """Count from 0, the best."""
        return _ORDER.index(self)

    @property
    def better(self) -> Level:
        """The next rung up the ladder; the best has none above it."""
        return _ORDER[max(self.rank - 1, 0)]


_ORDER = tuple(Level)


@dataclass(frozen=True, slots=True)
class InForce:
    """What holds for one team now.

    `score` 0..1; None: nobody has judged yet. `output_cap` None: answers are as long as asked.
    `fast` holds only deployments that are configured and healthy; None: there is none, or the
    level asks for none.
    """

    level: Level = Level.FULL
    score: float | None = None
    output_cap: int | None = None
    fast: Route | None = None
    answers: tuple[PredefinedAnswer, ...] = ()
    retry_after_s: float = 30.0


FULL = InForce()

InForceFor = Callable[[int | None], InForce]
"""By team id; None: nobody's, such as a probe's."""
