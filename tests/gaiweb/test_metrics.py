"""Who may read `/metrics`."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from typing import Any

import pytest
from celery import Celery
from celery.contrib.testing.worker import start_worker
from django.conf import settings as django_settings
from django.test import Client
from pydantic import SecretStr

import gaiweb.celery  # noqa: F401 - it listens to the signals
from providers import metrics, vitals

pytestmark = pytest.mark.django_db
# What operations are promised (OpenTelemetry's and Django's own aside), without `gai_`.
PROMISED = {
    "request_duration_seconds",
    "requests_total",
    "request_tokens",
    "tool_executions_total",
    "active_connections",
    "provider_requests_total",
    "provider_errors_total",
    "provider_latency_seconds",
    "tool_duration_seconds",
    "time_to_first_token_seconds",
    "cost_usd_total",
    "retries_total",
    "fallbacks_total",
    "breaker_state",
    "degradation_level",
    "health_score",
    "cache_requests_total",
    "queue_age_seconds",
    "ledger_commit_seconds",
    "reservations_open",
    "reservations_stale",
    "process_memory_bytes",
    "asyncio_tasks",
    "validation_errors_total",
    "key_fetch_errors_total",
    "filter_findings_total",
}
TOKEN = "a-token-that-is-long-enough"
FAR = {"REMOTE_ADDR": "203.0.113.9"}


@pytest.fixture
def with_token(settings: Any) -> None:
    config = django_settings.GAIWEB
    settings.GAIWEB = config.with_values("environment", metrics_token=SecretStr(TOKEN))


def test_this_machine_may(client: Client) -> None:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert b"django_http_requests" in answer.content


def test_another_machine_may_not(client: Client) -> None:
    assert client.get("/metrics", **FAR).status_code == 403


def test_a_proxy_on_this_machine_does_not_open_it_to_the_world(client: Client) -> None:
    assert client.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 403


def test_the_token_opens_it_from_anywhere(client: Client, with_token: None) -> None:
    right = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, **FAR)
    wrong = client.get("/metrics", headers={"Authorization": "Bearer nonsense"}, **FAR)
    assert (right.status_code, wrong.status_code) == (200, 403)


def test_no_token_configured_means_an_empty_one_opens_nothing(client: Client) -> None:
    assert client.get("/metrics", headers={"Authorization": "Bearer "}, **FAR).status_code == 403


def test_every_promised_metric_is_there(client: Client) -> None:
    text = client.get("/metrics").content.decode()
    there = set(re.findall(r"^# TYPE gai_(\w+)", text, re.MULTILINE))
    assert there >= PROMISED, PROMISED - there


def test_buckets_reach_ten_minutes_and_fifty_thousand_tokens(client: Client) -> None:
    labels = {"provider": "p", "model": "m"}
    metrics.request_seconds.labels(**labels, status="ok").observe(599)
    metrics.request_tokens.labels(**labels, type="input").observe(49_999)
    text = client.get("/metrics").content.decode()
    bounds = {
        name: re.findall(rf'gai_{name}_bucket{{[^}}]*le="([^"]+)"[^}}]*model="m"', text)
        for name in ("request_duration_seconds", "request_tokens")
    }
    assert bounds["request_duration_seconds"][-2:] == ["600.0", "+Inf"]
    assert [float(each) for each in bounds["request_tokens"][:-1]] == [
        10, 50, 100, 500, 1000, 5000, 10000, 50000,
    ]  # fmt: skip


def test_the_age_of_a_queue_is_what_its_next_job_has_waited() -> None:
    """Through a real worker: the time travels in a header of the message."""
    app = Celery("test", broker="memory://localhost//", set_as_current=False)
    done = threading.Event()
    app.task(name="job")(done.set)
    app.send_task("job")
    time.sleep(0.05)
    with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=10):
        assert done.wait(10)
    assert metrics.queue_age_seconds.labels("celery")._value.get() >= 0.05
    assert metrics.queue_taken_at.labels("celery")._value.get() > time.time() - 60


async def test_a_process_tells_its_memory_and_its_tasks() -> None:
    measuring = asyncio.create_task(vitals.keep_measuring())
    await asyncio.sleep(0)
    measuring.cancel()
    assert metrics.process_memory._value.get() > 10_000_000
    assert metrics.asyncio_tasks._value.get() >= 2
