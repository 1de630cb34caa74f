"""Traces as a collector gets them: one id in header, log, ledger and trace, the right parents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from providers import catalog
from tests.collector import Collector, attributes
from tests.journeys.gateway.world import PRICE, Server, World, eventually
from tests.upstream import FakeUpstream

HELLO = [{"role": "user", "content": "canary-of-the-prompt"}]
CALLERS = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector.serve() as running:
        yield running


@pytest.fixture(scope="module")
def traced(
    committed: Any, collector: Collector, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    settings = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_TRACES_SAMPLER_ARG": "1",
        "OTEL_SERVICE_NAME": "gaiweb-under-test",
    }
    log = tmp_path_factory.mktemp("traced") / "log"
    with Server.running(log, **settings) as running:
        yield running


@pytest.fixture
def here(traced: Server, upstream: FakeUpstream, committed: Any) -> Iterator[World]:
    made = World.made(traced, upstream, committed)
    connection.close()
    yield made
    made.close()


def spans_of(collector: Collector, request_id: str, number: int) -> list[Any]:
    def found() -> list[Any]:
        spans = [s for s in collector.spans if attributes(s).get("gai.request_id") == request_id]
        return spans if len(spans) >= number else []

    return eventually(found, within_s=10)  # type: ignore[no-any-return]


def test_one_id_finds_the_header_the_trace_the_log_and_the_ledger(
    here: World, collector: Collector
) -> None:
    route = here.route("fox-503", "fox-503b-404")
    answer = here.post({"model": route, "messages": HELLO})
    request_id = answer.headers["x-request-id"]
    assert answer.status_code == 503

    spans = spans_of(collector, request_id, 4)
    assert {span.trace_id.hex() for span in spans} == {request_id.replace("-", "")}
    lines = [line for line in here.server.log.read_text().splitlines() if request_id in line]
    assert len(lines) == 1
    assert "no_deployment_available" in lines[0]
    booked = here.books.execute(
        "SELECT count(*) FROM providers_entry WHERE reservation_id = %s", [request_id]
    ).fetchone()
    assert booked == (4,)
    assert collector.services == {"gaiweb-under-test"}


def test_attempts_are_children_of_their_request_with_what_they_used(
    here: World, collector: Collector
) -> None:
    route = here.route("fox-404", "fox")
    answer = here.post({"model": route, "messages": HELLO})
    spans = spans_of(collector, answer.headers["x-request-id"], 3)
    (root,) = [span for span in spans if span.name == "ai.generate_text"]
    first, second = sorted(
        (s for s in spans if s is not root), key=lambda s: s.start_time_unix_nano
    )

    assert {first.parent_span_id, second.parent_span_id} == {root.span_id}
    assert attributes(first)["error.type"] == "upstream_misconfigured"
    assert attributes(second)["gen_ai.usage.input_tokens"] == 10
    assert attributes(root)["gai.attempts"] == 2
    assert root.start_time_unix_nano <= first.start_time_unix_nano
    assert second.end_time_unix_nano <= root.end_time_unix_nano + 2_000_000
    assert "canary" not in str(spans)


def test_a_callers_own_trace_goes_on_here_and_at_a_local_provider(
    here: World, collector: Collector
) -> None:
    route = here.route("fox")
    headers = {"authorization": f"Bearer {here.secret}", "traceparent": CALLERS}
    answer = (
        here
        .client()
        .with_options(default_headers=headers)
        .chat.completions.with_raw_response.create(
            model=route,
            messages=HELLO,  # type: ignore[arg-type] # plain dictionaries
        )
    )
    spans = spans_of(collector, answer.headers["x-request-id"], 2)
    (root,) = [span for span in spans if span.name == "ai.generate_text"]

    assert {span.trace_id.hex() for span in spans} == {CALLERS.split("-")[1]}
    assert root.parent_span_id.hex() == CALLERS.split("-")[2]
    sent = here.upstream.calls[-1].headers["traceparent"]
    assert sent.split("-")[1:3] == [CALLERS.split("-")[1], root.span_id.hex()]


def test_steps_and_hosted_tools_of_an_answer_are_children_of_their_request(
    here: World, collector: Collector
) -> None:
    catalog.add_provider(name="demo-traced", kind="demo")
    targets = ["demo-traced/demo-503", "demo-traced/demo-tools"]
    catalog.add_route(name="traced-tools", targets=targets, prices=PRICE, max_output=100)
    connection.close()
    eventually(lambda: "traced-tools" in here.models())
    answer = here.post(
        {"model": "traced-tools", "messages": HELLO, "tools": ["calculator"]},
        path="/api/v1/answers",
    )
    told = answer.json()
    assert answer.status_code == 200, told
    request_id = answer.headers["x-request-id"]
    assert told["id"] == request_id

    tries = len(told["attempts"])
    spans = spans_of(collector, request_id, tries + 2)
    (root,) = [span for span in spans if span.name == "ai.generate_text"]
    (tool,) = [span for span in spans if span.name == "execute_tool calculator"]
    attempts = [span for span in spans if span.name.startswith("chat ")]
    assert {span.trace_id.hex() for span in spans} == {request_id.replace("-", "")}
    assert {span.parent_span_id for span in (tool, *attempts)} == {root.span_id}
    assert len(attempts) == tries > 2
    assert attributes(tool)["gen_ai.tool.name"] == "calculator"
    # The model was asked before the tool ran, and again after it.
    asked = sorted(span.start_time_unix_nano for span in attempts if span.name.endswith("-tools"))
    assert asked[0] <= tool.start_time_unix_nano <= asked[-1]
    booked = here.books.execute(
        "SELECT count(*) FROM providers_entry WHERE reservation_id = %s", [request_id]
    ).fetchone()
    assert booked is not None
    assert booked[0] > 0
    assert "canary" not in str(spans)


def test_an_answer_of_the_cache_is_a_request_without_attempts(
    here: World, collector: Collector
) -> None:
    asked = {"model": here.route("fox"), "messages": HELLO, "temperature": 0}
    first, second = here.post(asked), here.post(asked)
    assert second.headers["x-gai-cache"].startswith("hit")
    (made, _) = spans_of(collector, first.headers["x-request-id"], 2)
    (hit,) = spans_of(collector, second.headers["x-request-id"], 1)
    assert attributes(hit)["gai.cache"] == "local"
    assert "gai.cache" not in attributes(made) or attributes(made)["gai.cache"] == "miss"
