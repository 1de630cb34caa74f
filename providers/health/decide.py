"""Write what was judged, and change levels where the ladder says so. One process does it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from providers.engine.levels import Level
from providers.engine.policy import Policy
from providers.health import judgement as judgements
from providers.health.judgement import Judgement
from providers.health.ladder import Ladder
from providers.health.levels import Standing, standing_of
from providers.models import BreakerOrder, HealthState, LevelChange, LevelOverride

BY_SCORE = ""
"""The actor of a change that nobody made."""


@transaction.atomic
def decide(
    judgement: Judgement, ladder: Ladder, policies: Mapping[int, Policy], *, automatic: bool
) -> None:
    """Publish the scores and what they ask for. Sync.

    Not `automatic`: the level goes back to full and stays there, until somebody sets it.
    """
    HealthState.objects.get_or_create(pk=1, defaults={"since": judgement.at})
    state = HealthState.objects.select_for_update().get(pk=1)
    before = _content(state)
    held = Standing(Level(state.level), state.since)
    common = _next(held, judgement, ladder, automatic=automatic)
    _tell(None, held, common, judgement)
    _end_what_expired(judgement.at, common.level)
    state.teams = _teams(state, judgement, ladder, policies if automatic else {})
    state.level, state.since = common.level, common.since
    state.score, state.samples = judgement.system.value, judgement.system.samples
    state.deductions = judgement.system.facts()
    state.deployments = judgements.packed(judgement.deployments)
    state.providers = judgements.packed(judgement.providers)
    state.judged_at = judgement.at
    # Every process reads the row again when its content is written: not for a mere stamp.
    is_new = before != _content(state)
    state.save(update_fields=None if is_new else ["judged_at"])


def _content(state: HealthState) -> Any:
    names = ("level", "since", "score", "samples", "deductions", "teams", "deployments")
    return [getattr(state, name) for name in names]


def _next(held: Standing, judgement: Judgement, ladder: Ladder, *, automatic: bool) -> Standing:
    held_s = (judgement.at - held.since).total_seconds()
    level = ladder.next(held.level, held_s, judgement.system.value) if automatic else Level.FULL
    return held if level is held.level else Standing(level, judgement.at)


def _teams(
    state: HealthState, judgement: Judgement, ladder: Ladder, policies: Mapping[int, Policy]
) -> dict[str, dict[str, str]]:
    """Let each team with limits of its own go its own way; it begins where all stood."""
    found: dict[str, dict[str, str]] = {}
    for team_id, policy in policies.items():
        own = ladder.of(policy)
        if own == ladder:
            continue
        kept = state.teams.get(str(team_id))
        held = standing_of(kept) if kept else Standing(Level(state.level), state.since)
        following = _next(held, judgement, own, automatic=True)
        _tell(team_id, held, following, judgement)
        found[str(team_id)] = {"level": following.level, "since": following.since.isoformat()}
    return found


def _tell(team_id: int | None, held: Standing, following: Standing, judgement: Judgement) -> None:
    if following is not held:
        LevelChange.objects.create(
            team_id=team_id,
            at=judgement.at,
            before=held.level,
            after=following.level,
            reason=judgement.system.words[:500],
            actor=BY_SCORE,
        )


def _end_what_expired(now: datetime, following: Level) -> None:
    """Close the books on overrides whose time is over; they hold no longer anyway."""
    for table in (LevelOverride, BreakerOrder):
        for row in table.objects.filter(ended_at=None, expires_at__lte=now):
            row.ended_at = row.expires_at
            row.save(update_fields=["ended_at"])
            if isinstance(row, LevelOverride):
                LevelChange.objects.create(
                    team_id=row.team_id,
                    at=row.expires_at,
                    before=row.level,
                    after=following,
                    reason="The time that was set is over; the score decides again.",
                    actor=row.actor,
                )
