"""Nothing of a prompt, an answer or a key reaches a log line, a metric, a span or an error's text.

The server writes every line there is (DEBUG) and traces everything; then all of it is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from django.db import connection

from providers import catalog
from tests.collector import Collector
from tests.journeys.gateway.world import PRICE, Server, World, eventually
from tests.upstream import FakeUpstream

PROMPT = "canary-of-the-prompt ada.canary@example.org 4111 1111 1111 1111"
ANSWER = "canary-of-the-answer says good day."
HELLO = [{"role": "user", "content": PROMPT}]
FAULTS = ["401", "429", "503", "cut", "garbled", "error", "redirect"]


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector.serve() as running:
        yield running


@pytest.fixture(scope="module")
def watched(
    committed: Any, collector: Collector, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    settings = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_TRACES_SAMPLER_ARG": "1",
        "GAIWEB_LOG_LEVEL": "DEBUG",
    }
    with Server.running(tmp_path_factory.mktemp("watched") / "log", **settings) as running:
        yield running


@pytest.fixture
def here(watched: Server, upstream: FakeUpstream, committed: Any) -> Iterator[World]:
    upstream.text = ANSWER
    made = World.made(watched, upstream, committed)
    connection.close()
    yield made
    made.close()


def seen_by_operators(here: World, collector: Collector) -> dict[str, str]:
    """Read what a call leaves behind, once the last span of it has come."""
    request_id = here.post({"model": here.route("ok"), "messages": HELLO}).headers["x-request-id"]
    eventually(lambda: request_id in str(collector.spans), within_s=10)
    metrics = httpx.get(here.server.url + "/metrics", trust_env=False)
    assert metrics.status_code == 200
    found = {
        "log": here.server.log.read_text(),
        "metrics": metrics.text,
        "spans": str(collector.spans),
    }
    # It was looked at where something is: each of them tells of the call.
    assert request_id in found["log"]
    assert "gai_" in found["metrics"]
    return found


def test_good_answers_leave_no_word_of_themselves(here: World, collector: Collector) -> None:
    plain = here.post({"model": here.route("ok"), "messages": HELLO})
    assert ANSWER in plain.text
    streamed = here.post({"model": here.route("ok"), "messages": HELLO, "stream": True})
    assert "canary-of-the-answer" in streamed.text
    for where, text in seen_by_operators(here, collector).items():
        assert "canary" not in text, where
        assert "4111" not in text, where
        assert here.secret not in text, where


def test_failures_leave_no_word_of_the_prompt_or_the_key(here: World, collector: Collector) -> None:
    for word in FAULTS:
        route = here.route(f"fox-{word}")
        for stream in (False, True):
            answer = here.post({"model": route, "messages": HELLO, "stream": stream})
            told = answer.text.partition('"error"')[2] + str(answer.headers)
            assert "canary" not in told, word
            assert here.secret not in told, word
    for where, text in seen_by_operators(here, collector).items():
        assert "canary" not in text, where
        assert here.secret not in text, where


def test_tools_leave_no_word_of_their_arguments_or_results(
    here: World, collector: Collector
) -> None:
    catalog.add_provider(name="demo-quiet", kind="demo")
    catalog.add_route(
        name="quiet-tools", targets=["demo-quiet/demo-tools"], prices=PRICE, max_output=100
    )
    connection.close()
    eventually(lambda: "quiet-tools" in here.models())
    asked = {"model": "quiet-tools", "messages": HELLO, "tools": ["calculator", "current_time"]}
    answer = here.post(asked, path="/api/v1/answers")
    steps = answer.json()["steps"]
    (first, *_) = [step for step in steps if step["tool_results"]]
    expressions = [call["arguments"] for call in first["tool_calls"]]
    results = [result["content"] for result in first["tool_results"] if len(result["content"]) > 8]
    for where, text in seen_by_operators(here, collector).items():
        for said in (*expressions, *results, "canary"):
            assert said not in text, where
