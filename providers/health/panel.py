"""What the health page shows of scores and levels, beside the board of deployments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from providers.health import levels, past, pulse, rungs
from providers.health.board import Board, DeploymentHealth, Verdict
from providers.health.in_force import Caps
from providers.health.ladder import Ladder
from providers.health.levels import Levels, Override, Standing
from providers.health.past import LogLine, Spark
from providers.health.rungs import Rung
from providers.health.score import Score
from providers.models import BreakerOrder, Team

STALE_AFTER = 6
"""Judgements that may be missed before the page says so."""


@dataclass(frozen=True, slots=True)
class ByHand:
    """An override that somebody has set. `scope` in words."""

    override: Override
    scope: str
    left_s: int

    @property
    def left(self) -> str:
        """As the countdown shows it: `14:59`."""
        return f"{self.left_s // 60}:{self.left_s % 60:02}"


@dataclass(frozen=True, slots=True)
class Card:
    """`score` None: no route leads to it, or nobody has judged yet. `order`: what forces it."""

    health: DeploymentHealth
    score: Score | None
    spark: Spark | None
    order: BreakerOrder | None


@dataclass(frozen=True, slots=True)
class Panel:
    """`verdict` is the board's, unless a reduced mode outweighs it.

    `is_stale`: nobody has judged for a while, so the scores are old.
    """

    verdict: Verdict
    standing: Standing
    score: Score | None
    judged_at: datetime | None
    is_stale: bool
    spark: Spark | None
    rungs: list[Rung]
    by_hand: list[ByHand]
    providers: Mapping[str, Score]
    cards: list[Card]
    log: list[LogLine]
    hours: int = past.HOURS


def read(
    now: datetime,
    board: Board,
    ladder: Ladder,
    caps: Caps,
    every_s: float,
) -> Panel:
    deployments = board.deployments
    found = levels.read(now)
    sparks = past.sparks(now)
    orders = _orders(now)
    late = timedelta(seconds=every_s * STALE_AFTER)
    standing = found.standing(None, now)
    return Panel(
        verdict=pulse.reduced(board.verdict, standing),
        standing=standing,
        score=found.score,
        judged_at=found.judged_at,
        is_stale=found.judged_at is None or now - found.judged_at > late,
        spark=sparks.get(None),
        rungs=rungs.rungs(standing, ladder, caps),
        by_hand=_by_hand(found, now),
        providers=_shared(found.providers, deployments),
        cards=[
            Card(one, found.scores.get(one.row.id), sparks.get(one.row.id), orders.get(one.row.id))
            for one in deployments
        ],
        log=past.log(now),
    )


def _by_hand(found: Levels, now: datetime) -> list[ByHand]:
    ids = {each.team_id for each in found.overrides if each.team_id is not None}
    names = dict(Team.objects.filter(pk__in=ids).values_list("pk", "name"))
    return [
        ByHand(
            each,
            names[each.team_id] if each.team_id is not None else "all teams",
            round((each.until - now).total_seconds()),
        )
        for each in found.overrides
    ]


def _shared(
    providers: Mapping[str, Score], deployments: tuple[DeploymentHealth, ...]
) -> dict[str, Score]:
    """Keep the providers of several deployments: one alone has the score of its only one."""
    names = [one.row.provider for one in deployments]
    return {name: score for name, score in providers.items() if names.count(name) > 1}


def _orders(now: datetime) -> dict[int, BreakerOrder]:
    rows = BreakerOrder.objects.filter(ended_at=None, expires_at__gt=now).order_by("id")
    return {row.deployment_id: row for row in rows}
