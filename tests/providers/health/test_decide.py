"""What is judged is published, changes levels by the ladder, and leaves a trace."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from providers.engine.levels import Level
from providers.engine.policy import Policy
from providers.health import levels
from providers.health.decide import decide
from providers.health.judgement import Judgement
from providers.health.ladder import Ladder
from providers.health.score import Deduction, Score
from providers.models import HealthState, LevelChange, LevelOverride, Team

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
LADDER = Ladder()


def judged(points: float, after_s: float = 0) -> Judgement:
    lost = (Deduction(100 - points, "1 of 2 breakers open"),) if points < 100 else ()
    at = NOON + timedelta(seconds=after_s)
    return Judgement(at, Score(40, lost), {7: Score(30, lost)}, {"openai": Score(30, lost)})


def decided(*judgements: Judgement, policies: dict[int, Policy] | None = None) -> levels.Levels:
    for each in judgements:
        decide(each, LADDER, policies or {}, automatic=True)
    return levels.read(judgements[-1].at)


def test_before_anybody_judged_everything_is_offered() -> None:
    found = levels.read(NOON)
    assert found.standing(None, NOON).level is Level.FULL
    assert found.score is None


def test_every_process_reads_the_scores_with_their_explanation() -> None:
    found = decided(judged(80))
    assert found.score is not None
    assert found.score.words == "100 - 20 (1 of 2 breakers open) = 80"
    assert (found.scores[7].value, found.providers["openai"].value) == (0.8, 0.8)


def test_a_change_is_written_with_its_reason_and_nothing_else_is() -> None:
    decided(judged(100), judged(80, 5), judged(79, 10))
    (change,) = LevelChange.objects.all()
    assert (change.before, change.after, change.actor) == ("full", "simplified", "")
    assert change.reason == "100 - 20 (1 of 2 breakers open) = 80"
    assert HealthState.objects.get().since == NOON + timedelta(seconds=5)


def test_it_rises_again_after_the_dwell_one_rung_at_a_time() -> None:
    found = decided(judged(40), judged(100, 29))
    assert found.common.level is Level.EMERGENCY
    found = decided(judged(100, 31))
    assert found.common.level is Level.ESSENTIAL
    assert LevelChange.objects.count() == 2


def test_a_team_with_limits_of_its_own_goes_its_own_way(team: Team) -> None:
    found = decided(judged(80), policies={team.pk: Policy(simplified_below=0.5)})
    assert found.standing(team.pk, NOON).level is Level.FULL
    assert found.standing(None, NOON).level is Level.SIMPLIFIED
    assert found.standing(team.pk + 1, NOON).level is Level.SIMPLIFIED


def test_a_team_that_wants_only_other_caps_follows_the_rest(team: Team) -> None:
    found = decided(judged(80), policies={team.pk: Policy(simplified_tokens=50)})
    assert found.teams == {}


def test_switched_off_the_score_moves_nothing() -> None:
    decide(judged(10), LADDER, {}, automatic=False)
    assert levels.read(NOON).common.level is Level.FULL


def override(team: Team | None = None, level: Level = Level.ESSENTIAL, minutes: int = 15) -> None:
    LevelOverride.objects.create(
        level=level,
        team=team,
        reason="Drill.",
        actor="ada",
        created_at=NOON,
        expires_at=NOON + timedelta(minutes=minutes),
    )


def test_an_override_outweighs_the_score_and_a_team_s_own_that_for_all(team: Team) -> None:
    override()
    override(team, Level.FULL)
    found = decided(judged(40))
    assert found.standing(None, NOON).level is Level.ESSENTIAL
    assert found.standing(team.pk, NOON).level is Level.FULL


def test_an_override_ends_by_the_clock_of_every_process_and_that_is_written_once() -> None:
    override()
    found = levels.read(NOON)
    later = NOON + timedelta(minutes=15)
    assert found.standing(None, later).level is Level.FULL
    for _ in range(2):
        decide(judged(80, 901), LADDER, {}, automatic=True)
    ended = LevelChange.objects.get(actor="ada")
    assert (ended.before, ended.after, ended.at) == ("essential", "simplified", later)
    assert LevelOverride.objects.get().ended_at == later
