"""What becomes a span, with spans kept in memory."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler
from opentelemetry.trace import StatusCode

from providers.engine.errors import EngineError, StreamCut, UpstreamUnavailable
from providers.engine.events import Finish, FinishReason, TextDelta, ToolCalled
from providers.engine.request import CompletionRequest, Tool, ToolCall
from providers.engine.routes import Route
from providers.engine.tools import HostedTool, ToolFailed
from providers.tracing import Tracing, headers_here
from tests.engine.conftest import an_engine, utcnow
from tests.fakes import CALLER, MemoryLedger, Script, a_deployment, a_request, a_route, an_answer

_NO_TOOLS: Mapping[str, HostedTool] = {}


class Traced:
    def __init__(self, sampler: Sampler = ALWAYS_ON, providers: frozenset[str] = frozenset()):
        self.kept = InMemorySpanExporter()
        provider = TracerProvider(sampler=sampler)
        provider.add_span_processor(SimpleSpanProcessor(self.kept))
        self.tracing = Tracing(provider.get_tracer("test"), utcnow, providers)
        self.script = Script()
        self.engine: Any = an_engine(self.script, MemoryLedger(), self.tracing)  # type: ignore[arg-type]

    async def ask(
        self, request: CompletionRequest, route: Route, tools: Mapping[str, HostedTool] = _NO_TOOLS
    ) -> None:
        with self.tracing.following(request, CALLER):
            async with self.engine.open(request, CALLER, route, tools) as answer:
                [event async for event in answer.events]

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self.kept.get_finished_spans()


async def test_a_cut_answer_is_an_error_of_its_attempt_and_of_its_request() -> None:
    traced = Traced()
    deployment = a_deployment()
    traced.script.plays_for(deployment, [TextDelta("canary"), StreamCut("canary again")])
    with suppress(EngineError):
        await traced.ask(a_request("canary"), a_route(deployment))

    child, root = traced.spans
    assert (child.name, root.name) == ("chat model1", "ai.stream_text")
    for span in (child, root):
        assert span.status.status_code is StatusCode.ERROR
        assert span.attributes is not None
        assert span.attributes["error.type"] == "stream_cut"
    assert "canary" not in "".join(span.to_json() for span in traced.spans)


async def test_an_unsampled_request_makes_no_children() -> None:
    traced = Traced(ALWAYS_OFF)
    await traced.ask(a_request(), a_route())
    assert traced.spans == ()


async def test_only_the_named_providers_get_spans() -> None:
    traced = Traced(providers=frozenset({"provider2"}))
    first, second = a_deployment(1), a_deployment(2)
    traced.script.plays_for(first, [UpstreamUnavailable("no")])
    await traced.ask(a_request(), a_route(first, second))
    assert [span.name for span in traced.spans] == ["chat model2", "ai.stream_text"]


async def test_outside_of_a_request_there_is_no_trace_to_go_on() -> None:
    traced = Traced()
    await traced.ask(a_request(), a_route())
    assert headers_here() == {}


@pytest.mark.parametrize("sent", ["", "nonsense", "00-0-0-01"])
async def test_a_senseless_traceparent_begins_a_trace_of_our_own(sent: str) -> None:
    traced = Traced()
    request = a_request(traceparent=sent)
    await traced.ask(request, a_route())
    root = traced.spans[-1]
    assert root.parent is None


async def canary(_: Mapping[str, object]) -> str:
    raise ToolFailed("canary")


async def test_every_step_and_every_tool_is_a_child_of_the_request() -> None:
    traced = Traced()
    deployment = a_deployment()
    calls = [
        ToolCalled(0, ToolCall("1", "look", "{}")),
        ToolCalled(1, ToolCall("2", "made-up", "{}")),
    ]
    traced.script.plays_for(deployment, [*calls, Finish(FinishReason.TOOL_CALLS)], an_answer())
    look = HostedTool(Tool("look", "Looks", {"type": "object"}), canary)
    await traced.ask(a_request(hosted_tools=("look",)), a_route(deployment), {"look": look})

    *children, root = traced.spans
    assert sorted(span.name for span in children) == [
        "chat model1",
        "chat model1",
        "execute_tool look",
        "execute_tool unknown",
    ]
    assert {span.parent and span.parent.span_id for span in children} == {root.context.span_id}
    assert len({(span.attributes or {})["gai.request_id"] for span in traced.spans}) == 1
    assert "canary" not in "".join(span.to_json() for span in traced.spans)
    assert "made-up" not in "".join(span.to_json() for span in traced.spans)
