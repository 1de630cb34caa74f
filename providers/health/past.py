"""The last hours of scores, as lines to draw, and the last transitions, as lines to read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from providers.models import BreakerChange, HealthScore, LevelChange

HOURS = 3
SPAN = timedelta(hours=HOURS)
LOG_SPAN = timedelta(hours=24)
MOST = 30
_WIDTH, _HEIGHT = 120.0, 24.0


@dataclass(frozen=True, slots=True)
class Spark:
    """A line in a box of 120 by 24; `lowest` and `last` of 100."""

    points: str
    lowest: int
    last: int


@dataclass(frozen=True, slots=True)
class LogLine:
    """`what` changed; `actor` empty: by itself."""

    at: datetime
    what: str
    before: str
    after: str
    reason: str
    actor: str


def sparks(now: datetime) -> Mapping[int | None, Spark]:
    """Draw each deployment's scores by its id, and the system's under None."""
    rows = HealthScore.objects.filter(at__gte=now - SPAN).order_by("at")
    found: dict[int | None, list[tuple[datetime, float]]] = {}
    for id, at, score in rows.values_list("deployment_id", "at", "score"):
        found.setdefault(id, []).append((at, score))
    return {id: spark(now, scores) for id, scores in found.items() if _is_seen(scores)}


def _is_seen(scores: list[tuple[datetime, float]]) -> bool:
    """Tell a line from what would be drawn as a dot."""
    return scores[-1][0] - scores[0][0] >= SPAN / 48


def spark(now: datetime, scores: Iterable[tuple[datetime, float]]) -> Spark:
    """`scores` in order of time, one at least."""
    scores = list(scores)
    began = now - SPAN
    places = (
        f"{(at - began) / SPAN * _WIDTH:.1f},{1 + (_HEIGHT - 2) * (1 - score):.1f}"
        for at, score in scores
    )
    lowest = min(score for _, score in scores)
    return Spark(" ".join(places), round(lowest * 100), round(scores[-1][1] * 100))


def log(now: datetime) -> list[LogLine]:
    """List what levels and breakers did lately, the newest first."""
    since = now - LOG_SPAN
    changes = LevelChange.objects.filter(at__gte=since).select_related("team").order_by("-at")
    breakers = BreakerChange.objects.filter(at__gte=since).order_by("-at")
    lines = [
        *(
            LogLine(
                each.at,
                f"Level of {each.team.name}" if each.team else "Level",
                each.before,
                each.after,
                each.reason,
                each.actor,
            )
            for each in changes[:MOST]
        ),
        *(
            LogLine(
                each.at,
                f"{each.deployment.provider.name}/{each.deployment.model}",
                each.before,
                each.after,
                each.reason,
                each.actor,
            )
            for each in breakers.select_related("deployment__provider")[:MOST]
        ),
    ]
    return sorted(lines, key=lambda line: line.at, reverse=True)[:MOST]
