"""The scores of everything at one moment, and how they are kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from providers.engine.routes import Deployment
from providers.health import score
from providers.health.score import Score, Vitals, Weights, Window


@dataclass(frozen=True, slots=True)
class Judgement:
    """`deployments` by id, `providers` by name: those that routes lead to."""

    at: datetime
    system: Score
    deployments: Mapping[int, Score] = field(default_factory=dict[int, Score])
    providers: Mapping[str, Score] = field(default_factory=dict[str, Score])


def judge(
    at: datetime,
    deployments: Iterable[Deployment],
    windows: Mapping[int, Window],
    vitals: Vitals,
    weights: Weights,
) -> Judgement:
    by_provider: dict[str, list[Window]] = {}
    for each in deployments:
        by_provider.setdefault(each.provider, []).append(windows[each.id])
    return Judgement(
        at=at,
        system=score.of_system(list(windows.values()), vitals, weights),
        deployments={id: score.of_deployments([one], weights) for id, one in windows.items()},
        providers={
            name: score.of_deployments(found, weights) for name, found in by_provider.items()
        },
    )


def packed(scores: Mapping[Any, Score]) -> dict[str, Any]:
    """Give JSON that `unpacked` reads."""
    return {
        str(key): {"samples": one.samples, "deductions": one.facts()} for key, one in scores.items()
    }


def unpacked(kept: Mapping[str, Any]) -> dict[str, Score]:
    return {key: Score.of_facts(one["samples"], one["deductions"]) for key, one in kept.items()}
