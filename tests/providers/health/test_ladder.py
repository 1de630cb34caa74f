"""Down at once, up rung by rung, and never to and fro."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.engine.levels import Level
from providers.engine.policy import Policy
from providers.health.ladder import Ladder

USUAL = Ladder()
FULL, SIMPLIFIED, ESSENTIAL, EMERGENCY = Level


@pytest.mark.parametrize(
    ("score", "level"),
    [
        (1.0, FULL),
        (0.9, FULL),
        (0.899, SIMPLIFIED),
        (0.7, SIMPLIFIED),
        (0.699, ESSENTIAL),
        (0.5, ESSENTIAL),
        (0.499, EMERGENCY),
        (0.0, EMERGENCY),
    ],
)
def test_the_guide_s_limits(score: float, level: Level) -> None:
    assert USUAL.entered(score) is level


@pytest.mark.parametrize(
    ("current", "held_s", "score", "following"),
    [
        (FULL, 0, 0.4, EMERGENCY),
        (SIMPLIFIED, 0, 0.6, ESSENTIAL),
        (SIMPLIFIED, 29, 1.0, SIMPLIFIED),
        (SIMPLIFIED, 30, 0.92, SIMPLIFIED),
        (SIMPLIFIED, 30, 0.93, FULL),
        (EMERGENCY, 30, 1.0, ESSENTIAL),
        (EMERGENCY, 29, 1.0, EMERGENCY),
        (ESSENTIAL, 30, 0.75, SIMPLIFIED),
        (FULL, 900, 1.0, FULL),
    ],
)
def test_down_at_once_and_up_one_rung_after_the_dwell(
    current: Level, held_s: float, score: float, following: Level
) -> None:
    assert USUAL.next(current, held_s, score) is following


def test_a_team_s_own_limits_replace_only_what_it_has_set() -> None:
    ladder = USUAL.of(Policy(simplified_below=0.8))
    assert ladder.entered(0.85) is FULL
    assert ladder.entered(0.75) is SIMPLIFIED
    assert ladder.entered(0.65) is ESSENTIAL


def test_a_lower_rung_is_never_above_a_higher_one() -> None:
    assert USUAL.of(Policy(simplified_below=0.6)) == Ladder(0.6, 0.6, 0.5)


def walk(ladder: Ladder, scores: list[float], every_s: float) -> list[tuple[float, Level]]:
    """Give every change with its time."""
    level, since, changes = FULL, 0.0, []
    for turn, score in enumerate(scores):
        now = turn * every_s
        following = ladder.next(level, now - since, score)
        if following is not level:
            level, since = following, now
            changes.append((now, level))
    return changes


class Reference:
    """The rules again, in the plainest words."""

    def __init__(self, ladder: Ladder) -> None:
        self.ladder, self.level, self.since = ladder, 0, 0.0
        self.limits = [ladder.simplified_below, ladder.essential_below, ladder.emergency_below]

    def feed(self, now: float, score: float) -> Level:
        asked = sum(score < limit for limit in self.limits)
        if asked > self.level:
            self.level, self.since = asked, now
        elif self.level and now - self.since >= self.ladder.dwell_s:
            way_out = min(self.limits[self.level - 1] + self.ladder.margin, 1.0)
            if score >= way_out:
                self.level, self.since = self.level - 1, now
        return list(Level)[self.level]


scores = st.lists(st.floats(0, 1), max_size=60)


@given(scores)
def test_it_does_what_the_reference_does(given_scores: list[float]) -> None:
    reference = Reference(USUAL)
    level, since = FULL, 0.0
    for turn, score in enumerate(given_scores):
        now = turn * 5.0
        following = USUAL.next(level, now - since, score)
        if following is not level:
            level, since = following, now
        assert level is reference.feed(now, score)


@given(scores)
def test_no_flapping_whatever_the_score_does(given_scores: list[float]) -> None:
    """Every rise waits for the dwell, so that rises, and with them falls, are counted out."""
    changes = walk(USUAL, given_scores, 5.0)
    rises, before, last = 0, FULL, 0.0
    for at, level in changes:
        if level.rank < before.rank:
            rises += 1
            assert at - last >= USUAL.dwell_s
            assert before.rank - level.rank == 1
        before, last = level, at
    assert rises <= len(given_scores) * 5.0 / USUAL.dwell_s
    assert len(changes) - rises <= rises + 3


@given(st.sampled_from([0.9, 0.7, 0.5]), st.lists(st.floats(-0.029, 0.029), max_size=60))
def test_a_score_that_wavers_around_a_limit_changes_the_level_once(
    limit: float, noise: list[float]
) -> None:
    falls = walk(USUAL, [limit + each for each in noise], 60.0)
    distinct = [level for _, level in falls]
    assert len(distinct) == len(set(distinct))
    assert all(later.rank > sooner.rank for sooner, later in pairwise(distinct))
