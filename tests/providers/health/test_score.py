"""A score can be added up by hand, and says of what it is made."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.engine.ports import BreakerWord
from providers.health.score import FEW, Score, Vitals, Weights, Window, of_deployments, of_system

USUAL = Weights()


@pytest.mark.parametrize(
    ("window", "points", "words"),
    [
        (Window(), 100.0, "100, nothing taken off"),
        (Window(ok=200), 100.0, "100, nothing taken off"),
        (Window(ok=95, failed=5), 85.0, "100 - 15 (5 % provider errors) = 85"),
        (Window(ok=90, limited=10), 90.0, "100 - 10 (10 % limit errors) = 90"),
        (Window(ok=98, stalled=2), 94.0, "100 - 6 (2 % stalled or cut off) = 94"),
        (Window(failed=30), 0.0, "100 - 100 (100 % provider errors) = 0"),
        (
            Window(ok=100, ttft_ms=2400, usual_ms=1000),
            93.0,
            "100 - 7 (first token 2.4x its usual) = 93",
        ),
        (Window(ok=100, ttft_ms=1400, usual_ms=1000), 100.0, "100, nothing taken off"),
        (Window(ok=100, ttft_ms=150, usual_ms=5), 100.0, "100, nothing taken off"),
        (Window(ok=100, ttft_ms=9000), 100.0, "100, nothing taken off"),
        (
            Window(ok=100, ttft_ms=90_000, usual_ms=100),
            80.0,
            "100 - 20 (first token 900.0x its usual) = 80",
        ),
        (Window(breaker=BreakerWord.OPEN), 60.0, "100 - 40 (its breaker is open) = 60"),
        (Window(breaker=BreakerWord.HALF_OPEN), 85.0, "100 - 15 (its breaker is half-open) = 85"),
        (Window(ok=100, used=0.9), 85.0, "100 - 15 (90% of its rate limit used) = 85"),
        (Window(ok=100, used=0.8), 100.0, "100, nothing taken off"),
        (Window(probe_failed=True), 60.0, "100 - 40 (its probe failed) = 60"),
        (Window(ok=1, probe_failed=True), 100.0, "100, nothing taken off"),
    ],
)
def test_one_deployment_s_score_and_its_words(window: Window, points: float, words: str) -> None:
    score = of_deployments([window], USUAL)
    assert (score.points, score.words) == (points, words)


@pytest.mark.parametrize(
    ("windows", "vitals", "points", "words"),
    [
        ([Window(ok=50)], Vitals(requests=50), 100.0, "100, nothing taken off"),
        (
            [Window(ok=50)],
            Vitals(requests=50, failed_requests=5),
            70.0,
            "100 - 30 (10 % requests failed) = 70",
        ),
        (
            [Window(ok=50), Window(breaker=BreakerWord.OPEN)],
            Vitals(requests=50),
            80.0,
            "100 - 20 (1 of 2 breakers open) = 80",
        ),
        (
            [Window(breaker=BreakerWord.OPEN), Window(breaker=BreakerWord.OPEN)],
            Vitals(),
            40.0,
            "100 - 60 (2 of 2 breakers open) = 40",
        ),
        ([Window(breaker=BreakerWord.OPEN)], Vitals(), 40.0, "100 - 60 (its breaker is open) = 40"),
        (
            [Window(ok=90, failed=10)],
            Vitals(requests=90),
            90.0,
            "100 - 10 (10 % attempts had to be repaired) = 90",
        ),
        (
            [Window(ok=90)],
            Vitals(open_calls=1000, capacity=1000),
            70.0,
            "100 - 30 (1,000 of 1,000 calls at once) = 70",
        ),
        (
            [Window(ok=90)],
            Vitals(database_ms=1000),
            70.0,
            "100 - 30 (database answers in 1,000 ms) = 70",
        ),
        ([], Vitals(cache_is_away=True), 90.0, "100 - 10 (Redis is away) = 90"),
    ],
)
def test_the_system_s_score_and_its_words(
    windows: list[Window], vitals: Vitals, points: float, words: str
) -> None:
    score = of_system(windows, vitals, USUAL)
    assert (score.points, score.words) == (points, words)


def test_errors_of_a_resting_deployment_are_not_taken_off_twice() -> None:
    failing = Window(failed=30, breaker=BreakerWord.OPEN)
    score = of_system([failing, Window(ok=50)], Vitals(requests=50), USUAL)
    assert score.words == "100 - 20 (1 of 2 breakers open) = 80"


def test_few_samples_are_told_and_take_nothing_from_the_system() -> None:
    vitals = Vitals(requests=FEW - 1, failed_requests=FEW - 1)
    score = of_system([Window(failed=FEW - 1)], vitals, USUAL)
    assert score.is_few
    assert score.value == 1.0
    assert [each.reason for each in score.deductions] == ["100 % requests failed"]


def test_a_failure_that_no_fallback_repaired_is_taken_off_once() -> None:
    vitals = Vitals(requests=100, failed_requests=5)
    score = of_system([Window(ok=95, failed=5)], vitals, USUAL)
    assert score.words == "100 - 15 (5 % requests failed) = 85"


def test_a_provider_is_scored_over_all_of_its_deployments() -> None:
    score = of_deployments([Window(ok=90), Window(ok=5, failed=5)], USUAL)
    assert (score.samples, score.words) == (100, "100 - 15 (5 % provider errors) = 85")


def test_a_score_survives_being_kept() -> None:
    score = of_deployments([Window(ok=95, failed=5)], USUAL)
    assert Score.of_facts(score.samples, score.facts()) == score


counts = st.integers(0, 500)
windows = st.builds(
    Window,
    ok=counts,
    failed=counts,
    limited=counts,
    stalled=counts,
    ttft_ms=st.none() | st.integers(0, 100_000),
    usual_ms=st.none() | st.integers(0, 100_000),
    used=st.none() | st.floats(0, 3),
    breaker=st.sampled_from(BreakerWord),
    probe_failed=st.booleans(),
)


@given(st.lists(windows, max_size=5), st.integers(0, 200), st.floats(0, 5000))
def test_every_score_is_within_0_and_1_and_adds_up(
    found: list[Window], failed: int, database_ms: float
) -> None:
    vitals = Vitals(requests=200, failed_requests=failed, database_ms=database_ms)
    for score in (of_deployments(found, USUAL), of_system(found, vitals, USUAL)):
        assert 0 <= score.value <= 1
        taken = sum(each.points for each in score.deductions if each.counts)
        assert score.points == pytest.approx(max(100 - taken, 0), abs=0.05)
        assert all(each.points >= 0 and each.reason for each in score.deductions)
