"""What the board makes of entries, probes and breakers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from providers.engine.ports import BreakerState, BreakerWord
from providers.health import board
from providers.health.board import Board, Condition, DeploymentHealth, Level
from providers.models import Deployment, Probe, Team
from tests.providers import spent

NOW = timezone.now()


@pytest.fixture
def openai(db: None) -> Deployment:
    return spent.deployment("openai/gpt-a")


def read(*breakers: BreakerState) -> Board:
    return board.read(NOW, breakers)


def only(*breakers: BreakerState) -> DeploymentHealth:
    (one,) = read(*breakers).deployments
    return one


def breaker(deployment: Deployment, word: BreakerWord, rest: float | None = None) -> BreakerState:
    return BreakerState(deployment.pk, word, 5, NOW, rest)


def ago(**span: float) -> dict[str, object]:
    return {"at": NOW - timedelta(**span)}


def test_no_traffic_is_never_green(openai: Deployment):
    spent.entry(**ago(hours=2))

    found = read()

    assert found.deployments[0].condition is Condition.QUIET
    assert found.deployments[0].row.succeeded_at == NOW - timedelta(hours=2)
    assert found.verdict.level is Level.UNKNOWN


def test_nothing_connected_is_said_in_words(db: None):
    assert read().verdict.headline == "No provider"


def test_answers_make_it_work(openai: Deployment):
    spent.traffic(20, **ago(minutes=1))

    assert only().condition is Condition.WORKING
    assert read().verdict.headline == "All good"
    assert not only().samples.five_minutes.is_few


@pytest.mark.parametrize(
    ("good", "bad", "expected"),
    [
        (19, 1, Condition.WORKING),
        (18, 2, Condition.DEGRADED),
        (10, 10, Condition.DEGRADED),
        (9, 11, Condition.FAILING),
    ],
)
def test_the_share_of_good_attempts_is_the_condition(
    openai: Deployment, good: int, bad: int, expected: Condition
):
    spent.traffic(good, **ago(minutes=1))
    spent.traffic(bad, code="upstream_overloaded", **ago(minutes=1))

    assert only().condition is expected


def test_few_samples_of_five_minutes_do_not_outweigh_the_hour(openai: Deployment):
    spent.traffic(40, **ago(minutes=30))
    spent.traffic(2, code="upstream_timeout", **ago(minutes=1))

    found = only()

    assert found.samples.five_minutes.is_few
    assert found.samples.five_minutes.share == 0
    assert found.condition is Condition.WORKING


def test_callers_faults_do_not_count_against_a_deployment(openai: Deployment):
    spent.traffic(3, **ago(minutes=1))
    spent.traffic(9, code="cancelled", status="cancelled", **ago(minutes=1))
    spent.traffic(9, code="upstream_rejected", **ago(minutes=1))

    found = only()

    assert (found.samples.hour.good, found.samples.hour.judged) == (3, 3)
    assert found.row.failed is None
    assert {line.words for line in read().errors} == {
        "The caller left",
        "The provider refused the request",
    }


def test_an_open_breaker_outweighs_good_samples(openai: Deployment):
    spent.traffic(30, **ago(minutes=10))

    assert only(breaker(openai, BreakerWord.OPEN, 17.2)).condition is Condition.RESTING
    assert only(breaker(openai, BreakerWord.HALF_OPEN)).condition is Condition.TRYING
    assert only(breaker(openai, BreakerWord.CLOSED)).condition is Condition.WORKING


def test_the_worse_of_two_boards_of_one_process_is_shown(openai: Deployment):
    closed, resting = (
        breaker(openai, BreakerWord.CLOSED),
        breaker(openai, BreakerWord.OPEN, 9),
    )

    assert only(closed, resting).breaker == only(resting, closed).breaker == resting


def test_percentiles_are_of_good_answers(openai: Deployment):
    for ttft in range(1, 101):
        spent.entry(ttft_ms=ttft, duration_ms=10 * ttft, **ago(minutes=1))
    spent.entry(code="upstream_timeout", ttft_ms=9000, **ago(minutes=1))

    found = only().samples

    assert (found.ttft.p50, found.ttft.p95) == (50, 95)
    assert (found.duration.p50, found.duration.p95) == (500, 950)


def test_the_last_error_has_its_code_and_status(openai: Deployment):
    spent.entry(code="upstream_timeout", **ago(hours=3))
    spent.entry(code="upstream_overloaded", http_status=529, **ago(hours=2))

    found = only()

    assert found.row.failed is not None
    assert (found.row.failed.code, found.row.failed.http_status) == ("upstream_overloaded", 529)
    assert (found.error_words, found.error_fault) == ("The provider is overloaded", "provider")


def test_a_failed_probe_tells_where_nobody_asks(openai: Deployment):
    Probe.objects.create(deployment=openai, ok=True, latency_ms=9, at=NOW - timedelta(minutes=9))
    Probe.objects.create(deployment=openai, ok=False, latency_ms=9, at=NOW - timedelta(minutes=1))

    assert only().condition is Condition.FAILING


def test_what_is_switched_off_is_neither_good_nor_bad(db: None):
    spent.deployment("openai/gpt-a", is_enabled=False)
    spent.traffic(3, code="upstream_timeout", **ago(minutes=1))

    assert only().condition is Condition.OFF
    assert read().verdict.headline == "No provider"


def test_what_callers_got_is_counted_after_fallback(openai: Deployment, team: Team):
    spent.request({"code": "upstream_timeout"}, {"model": "groq/b"}, team=team, **ago(minutes=2))
    spent.request({"code": "upstream_timeout"}, {}, team=team, **ago(minutes=2))
    spent.request({"code": "upstream_timeout"}, **ago(minutes=2))
    spent.request({"code": "cancelled", "status": "cancelled"}, **ago(minutes=2))
    spent.request({"code": "upstream_timeout"}, source="probe", **ago(minutes=2))

    served = read().served

    assert (served.answered, served.failed, served.by_fallback) == (2, 1, 1)


def test_an_answer_past_a_resting_deployment_is_a_fallback_too(openai: Deployment):
    spent.deployment("groq/b")
    spent.entry(model="groq/b", **ago(minutes=2))
    spent.entry(model="groq/b", route="gone", **ago(minutes=2))

    assert read().served.by_fallback == 1


def test_what_was_admitted_and_never_sent_failed(openai: Deployment):
    spent.open_reservation(settled_at=NOW)
    spent.open_reservation()
    sent = spent.open_reservation(settled_at=NOW)
    spent.entry(reservation_id=sent.pk, **ago(minutes=1))

    served = read().served

    assert (served.answered, served.failed, served.unsent) == (1, 1, 1)


def test_the_worst_deployment_comes_first_and_is_named(db: None):
    for name in ("a/good", "b/bad", "c/idle"):
        spent.deployment(name)
    spent.traffic(30, model="a/good", **ago(minutes=1))
    spent.traffic(30, model="b/bad", code="upstream_unavailable", **ago(minutes=1))

    found = read()

    assert [one.row.name for one in found.deployments] == ["b/bad", "a/good", "c/idle"]
    assert found.verdict.level is Level.DOWN
    assert "b/bad is failing" in found.verdict.reason


def test_all_that_is_used_down_is_worse_than_some(db: None):
    for name in ("a/x", "b/x"):
        spent.deployment(name)
    spent.traffic(60, model="a/x", **ago(minutes=1))
    spent.traffic(30, model="b/x", code="upstream_unavailable", **ago(minutes=1))

    assert read().verdict.headline == "Degraded"


def test_errors_are_grouped_by_whose_fault_they_are(openai: Deployment):
    codes: Sequence[str] = ("cancelled", "credential_rejected", "upstream_timeout")
    for code in codes:
        spent.traffic(2, code=code, **ago(minutes=3))

    assert [(line.fault, line.error.count) for line in read().errors] == [
        ("provider", 2),
        ("our configuration", 2),
        ("caller", 2),
    ]


def test_the_board_asks_a_fixed_number_of_questions(
    openai: Deployment, django_assert_num_queries: DjangoAssertNumQueries
):
    for name in ("a/x", "b/x", "c/x"):
        spent.deployment(name)
        spent.traffic(3, model=name)
    # deployments, samples, probes, callers, what was never sent, errors
    with django_assert_num_queries(6):
        read()
