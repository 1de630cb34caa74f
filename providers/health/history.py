"""Scores by the minute, and transitions of breakers: written here, swept in time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from providers.engine.ports import BreakerChange as Change
from providers.health.judgement import Judgement
from providers.health.score import Score
from providers.models import (
    BreakerChange,
    BreakerOrder,
    Deployment,
    HealthScore,
    LevelChange,
    LevelOverride,
)

EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Transition:
    """A breaker's, when it happened; `change` in the engine's words."""

    at: datetime
    deployment_id: int
    change: Change


def keep_scores(judgement: Judgement) -> None:
    """Write a row for the system and each deployment that still exists. Sync."""
    ids = list(judgement.deployments)
    there = set(Deployment.objects.filter(pk__in=ids).values_list("pk", flat=True))
    scores: list[tuple[int | None, Score]] = [(None, judgement.system)]
    scores += [(id, one) for id, one in judgement.deployments.items() if id in there]
    HealthScore.objects.bulk_create(
        HealthScore(
            deployment_id=id,
            at=judgement.at,
            score=one.value,
            samples=one.samples,
            deductions=one.facts(),
        )
        for id, one in scores
    )


def keep_transitions(found: Iterable[Transition]) -> None:
    """Write those of deployments that still exist. Sync."""
    found = list(found)
    ids = {each.deployment_id for each in found}
    there = set(Deployment.objects.filter(pk__in=ids).values_list("pk", flat=True))
    BreakerChange.objects.bulk_create(
        BreakerChange(
            deployment_id=each.deployment_id,
            at=each.at,
            before=each.change.before,
            after=each.change.after,
            reason=each.change.reason[:500],
        )
        for each in found
        if each.deployment_id in there
    )


def sweep(now: datetime, kept: timedelta) -> int:
    """Delete what is older; answer how many rows. Sync."""
    oldest = now - kept
    old = (
        HealthScore.objects.filter(at__lt=oldest),
        LevelChange.objects.filter(at__lt=oldest),
        BreakerChange.objects.filter(at__lt=oldest),
        LevelOverride.objects.filter(expires_at__lt=oldest),
        BreakerOrder.objects.filter(expires_at__lt=oldest),
    )
    return sum(rows.delete()[0] for rows in old)
