"""What the ledger says of each deployment: only what is its own doing."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from providers.catalog import snapshot
from providers.engine.ports import BreakerState, BreakerWord
from providers.engine.routes import Deployment
from providers.health import windows
from providers.health.score import Vitals, Window
from providers.health.windows import Usual
from providers.models import Probe
from tests.providers import spent

pytestmark = pytest.mark.django_db
FIVE = timedelta(minutes=5)


def the_deployment(name: str = "openai/gpt-a") -> Deployment:
    row = spent.deployment(name)
    return snapshot.deployment(row, lambda _: {})


def read(*deployments: Deployment, breakers: tuple[BreakerState, ...] = ()) -> dict[int, Window]:
    return windows.read(timezone.now(), deployments, breakers, Usual(FIVE))


def minutes_ago(count: float) -> datetime:
    return timezone.now() - timedelta(minutes=count)


def test_errors_limits_and_stalls_are_counted_apart() -> None:
    one = the_deployment()
    spent.traffic(3)
    spent.traffic(2, code="upstream_unavailable")
    spent.traffic(4, code="upstream_throttled")
    spent.entry(code="upstream_timeout", status="cut")
    spent.entry(code="stream_cut", status="cut")
    found = read(one)[one.id]
    assert (found.ok, found.failed, found.limited, found.stalled) == (3, 2, 4, 2)


@pytest.mark.parametrize(
    "code",
    ["invalid_request", "cancelled", "upstream_rejected", "circuit_open", "budget_exceeded"],
)
def test_a_caller_s_mistake_a_cancellation_and_our_refusal_never_count(code: str) -> None:
    one = the_deployment()
    spent.traffic(30, code=code)
    assert read(one)[one.id].samples == 0


def test_what_is_older_than_the_window_does_not_count() -> None:
    one = the_deployment()
    spent.traffic(9, code="upstream_unavailable", at=minutes_ago(6))
    assert read(one)[one.id].samples == 0


def test_the_wait_is_compared_with_its_own_usual_one() -> None:
    one = the_deployment()
    spent.traffic(100, ttft_ms=200, at=minutes_ago(60))
    spent.traffic(20, ttft_ms=900)
    found = read(one)[one.id]
    assert (found.ttft_ms, found.usual_ms) == (900, 200)


def test_few_answers_say_nothing_of_the_wait() -> None:
    one = the_deployment()
    spent.traffic(99, ttft_ms=200, at=minutes_ago(60))
    spent.traffic(19, ttft_ms=900)
    found = read(one)[one.id]
    assert (found.ttft_ms, found.usual_ms) == (None, None)


def test_the_worst_of_its_circuits_is_the_breaker_of_a_deployment() -> None:
    one, other = the_deployment(), the_deployment("groq/llama")
    states = (
        BreakerState(one.id, BreakerWord.OPEN, 5, None, 20.0, credential="a"),
        BreakerState(one.id, BreakerWord.CLOSED, 0, None, None, credential="b"),
    )
    found = read(one, other, breakers=states)
    assert (found[one.id].breaker, found[other.id].breaker) == ("open", "closed")


def test_a_probe_that_failed_by_the_provider_s_fault_is_seen_for_three_minutes() -> None:
    one, other = the_deployment(), the_deployment("groq/llama")
    late = {"ok": False, "latency_ms": 9, "error_code": "upstream_unavailable"}
    Probe.objects.create(deployment_id=one.id, **late)
    Probe.objects.create(deployment_id=other.id, at=minutes_ago(4), **late)
    found = read(one, other)
    assert (found[one.id].probe_failed, found[other.id].probe_failed) == (True, False)


def test_the_share_of_its_own_rate_is_of_the_last_minute() -> None:
    one = the_deployment()
    spent.traffic(60)
    spent.traffic(99, at=minutes_ago(2))
    assert read(one)[one.id].used == pytest.approx(60 / 600)


def test_requests_that_were_repaired_by_a_fallback_did_not_fail() -> None:
    the_deployment()
    spent.request({"code": "upstream_unavailable"}, {"model": "groq/llama"})
    spent.request({"code": "upstream_unavailable"})
    spent.open_reservation()
    found = windows.vitals(timezone.now(), FIVE, 500, cache_is_away=True)
    assert found.database_ms > 0
    assert found == Vitals(2, 1, 1, 500, found.database_ms, cache_is_away=True)
