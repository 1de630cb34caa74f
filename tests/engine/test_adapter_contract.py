"""What every wire format must hold; a new adapter adds itself to `WIRES` and passes."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from providers.engine.call import AttemptStatus, Call
from providers.engine.errors import (
    ContextTooLong,
    CredentialRejected,
    EngineError,
    QuotaExhausted,
    StreamCut,
    UpstreamError,
    UpstreamGarbled,
    UpstreamMisconfigured,
    UpstreamOverloaded,
    UpstreamRejected,
    UpstreamThrottled,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from providers.engine.events import (
    Finish,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCalled,
    UsageReported,
)
from providers.engine.request import Message, RawBody, Role, Text, Tool, ToolCall, ToolResult
from providers.engine.routes import KINDS
from providers.engine.upstream import Upstream
from tests.engine.adapters.replay import ADAPTERS, Replay, sse
from tests.engine.conftest import an_engine
from tests.engine.wires import gemini, ollama, openai_responses
from tests.engine.wires.wire import CALLS, SECRET, Wire
from tests.fakes import CALLER, MemoryLedger, Recorder, Script, a_deployment, a_request, a_route


def _openai_stream() -> list[bytes]:
    def delta(**fields: Any) -> dict[str, Any]:
        return {"choices": [{"index": 0, "delta": fields, "finish_reason": None}], "usage": None}

    def call(index: int, arguments: str, **more: Any) -> dict[str, Any]:
        name = {"name": more.pop("name")} if "name" in more else {}
        function = {**name, "arguments": arguments}
        return delta(tool_calls=[{"index": index, "function": function, **more}])

    return sse(
        delta(role="assistant", content=""),
        delta(reasoning_content="Hm."),
        delta(content="Hello, "),
        delta(content="世界"),
        call(0, "", id="call_a", type="function", name="look"),
        call(0, '{"at": '),
        call(1, "{}", id="call_b", type="function", name="wait"),
        call(0, '"sky"}'),
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
        {"choices": [], "usage": _OPENAI_USAGE},
        "[DONE]",
    )


_OPENAI_USAGE = {
    "prompt_tokens": 30,
    "completion_tokens": 12,
    "total_tokens": 42,
    "prompt_tokens_details": {"cached_tokens": 20},
}
_OPENAI_PLAIN = {
    "choices": [
        {
            "finish_reason": "tool_calls",
            "message": {
                "role": "assistant",
                "reasoning_content": "Hm.",
                "content": "Hello, 世界",
                "tool_calls": [
                    {
                        "id": call.call.id,
                        "type": "function",
                        "function": {"name": call.call.name, "arguments": call.call.arguments},
                    }
                    for call in CALLS
                ],
            },
        }
    ],
    "usage": _OPENAI_USAGE,
}


def _anthropic_stream() -> list[bytes]:
    def start(index: int, **block: Any) -> dict[str, Any]:
        return {"type": "content_block_start", "index": index, "content_block": block}

    def delta(index: int, **delta: Any) -> dict[str, Any]:
        return {"type": "content_block_delta", "index": index, "delta": delta}

    began = {"input_tokens": 10, "cache_read_input_tokens": 20, "output_tokens": 1}
    return sse(
        {"type": "message_start", "message": {"content": [], "usage": began}},
        {"type": "ping"},
        start(0, type="thinking", thinking=""),
        delta(0, type="thinking_delta", thinking="Hm."),
        delta(0, type="signature_delta", signature="abc"),
        {"type": "content_block_stop", "index": 0},
        start(1, type="text", text=""),
        delta(1, type="text_delta", text="Hello, "),
        delta(1, type="text_delta", text="世界"),
        {"type": "content_block_stop", "index": 1},
        start(2, type="tool_use", id="call_a", name="look", input={}),
        delta(2, type="input_json_delta", partial_json=""),
        delta(2, type="input_json_delta", partial_json='{"at": '),
        delta(2, type="input_json_delta", partial_json='"sky"}'),
        {"type": "content_block_stop", "index": 2},
        start(3, type="tool_use", id="call_b", name="wait", input={}),
        {"type": "content_block_stop", "index": 3},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use"},
            "usage": {"output_tokens": 12},
        },
        {"type": "message_stop"},
        named=True,
    )


_ANTHROPIC_PLAIN = {
    "type": "message",
    "content": [
        {"type": "thinking", "thinking": "Hm.", "signature": "abc"},
        {"type": "text", "text": "Hello, 世界"},
        {"type": "tool_use", "id": "call_a", "name": "look", "input": {"at": "sky"}},
        {"type": "tool_use", "id": "call_b", "name": "wait", "input": {}},
    ],
    "stop_reason": "tool_use",
    "usage": {"input_tokens": 10, "cache_read_input_tokens": 20, "output_tokens": 12},
}


def _openai_error(word: str, status: int) -> dict[str, Any]:
    code = {"context": "context_length_exceeded", "quota": "insufficient_quota"}.get(word)
    return {"error": {"message": f"{SECRET} is long", "type": "t", "param": None, "code": code}}


def _anthropic_error(word: str, status: int) -> dict[str, Any]:
    kinds = {
        401: "authentication_error",
        404: "not_found_error",
        429: "rate_limit_error",
        500: "api_error",
        529: "overloaded_error",
    }
    words = {
        "context": "prompt is too long: 9 tokens > 8 maximum",
        "quota": "Your credit balance is too low to access the Anthropic API.",
    }
    message = words.get(word, f"{SECRET} is long")
    kind = kinds.get(status, "invalid_request_error")
    return {"type": "error", "error": {"type": kind, "message": message}}


WIRES = [
    Wire(
        "openai_chat",
        _openai_stream(),
        sse(_OPENAI_PLAIN)[0][6:].strip(),
        b'event: news\ndata: {"object": "news"}\n\n',
        "max_tokens",
        _openai_error,
        is_raw=True,
    ),
    Wire(
        "anthropic_messages",
        _anthropic_stream(),
        sse(_ANTHROPIC_PLAIN)[0][6:].strip(),
        b'event: news\ndata: {"type": "news"}\n\n',
        "max_tokens",
        _anthropic_error,
        is_raw=True,
    ),
    gemini.WIRE,
    openai_responses.WIRE,
    ollama.WIRE,
]
every_wire = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.kind)
every_raw_wire = pytest.mark.parametrize(
    "wire", [wire for wire in WIRES if wire.is_raw], ids=lambda wire: wire.kind
)


def test_every_adapter_is_a_kind_that_an_operator_can_choose() -> None:
    assert {wire.kind for wire in WIRES} == set(ADAPTERS) == set(KINDS) - {"demo"}


@every_wire
@pytest.mark.parametrize("stream", [True, False])
async def test_text_thought_calls_usage_and_reason_are_understood(wire: Wire, stream: bool) -> None:
    events = await Replay(wire.kind, wire.stream if stream else [wire.plain]).events(
        a_request(stream=stream)
    )
    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == "Hello, 世界"
    assert "".join(e.text for e in events if isinstance(e, ReasoningDelta)) == "Hm."
    calls = [event for event in events if isinstance(event, ToolCalled)]
    assert [call.call.arguments.replace(" ", "") for call in calls] == ['{"at":"sky"}', "{}"]
    assert [(c.index, c.call.id, c.call.name) for c in calls] == [
        (c.index, c.call.id, c.call.name) for c in CALLS
    ]
    assert [e.usage for e in events if isinstance(e, UsageReported)][-1] == wire.usage
    assert events[-1] == Finish(FinishReason.TOOL_CALLS)


@every_wire
async def test_the_first_fragment_of_a_call_names_it_and_indices_count_from_0(wire: Wire) -> None:
    events = await Replay(wire.kind, wire.stream).events()
    fragments = [event for event in events if isinstance(event, ToolCallDelta)]
    named = [(f.index, f.id, f.name) for f in fragments if f.id is not None]
    assert named == [(0, "call_a", "look"), (1, "call_b", "wait")]
    joined = "".join(f.arguments for f in fragments if f.index == 0)
    assert joined.replace(" ", "") == '{"at":"sky"}'


@every_wire
async def test_a_stream_cut_after_any_frame_is_never_a_clean_end(wire: Wire) -> None:
    for length in range(len(wire.stream)):
        with pytest.raises(StreamCut):
            await Replay(wire.kind, wire.stream[:length]).events()


@every_wire
async def test_a_connection_that_breaks_is_a_cut_stream(wire: Wire) -> None:
    replay = Replay(wire.kind, wire.stream[:4], error=httpx.ReadError("reset"))
    with pytest.raises(StreamCut):
        await replay.events()


@every_wire
async def test_unknown_events_and_comments_are_passed_over(wire: Wire) -> None:
    comment = b"\n" if wire.is_lines else b": still here\n\n"
    noisy = [piece for frame in wire.stream for piece in (comment, wire.unknown, frame)]
    assert await Replay(wire.kind, noisy).events() == await Replay(wire.kind, wire.stream).events()


@every_wire
@pytest.mark.parametrize("junk", ["{oops", "[1, 2]", "7"])
async def test_what_is_no_object_of_the_wire_is_garbled(wire: Wire, junk: str) -> None:
    pieces = [*wire.stream[:3], wire.frame(junk), *wire.stream[3:]]
    with pytest.raises(UpstreamGarbled):
        await Replay(wire.kind, pieces).events()


@every_wire
@pytest.mark.parametrize(
    ("word", "status", "kind"),
    [
        ("", 400, UpstreamRejected),
        ("context", 400, ContextTooLong),
        ("quota", 400, QuotaExhausted),
        ("", 401, CredentialRejected),
        ("", 404, UpstreamMisconfigured),
        ("", 429, UpstreamThrottled),
        ("", 500, UpstreamUnavailable),
        ("", 529, UpstreamOverloaded),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_each_refusal_has_its_error_and_shows_no_secret(
    wire: Wire, word: str, status: int, kind: type[EngineError], stream: bool
) -> None:
    body = sse(wire.errors(word, status))[0][6:].strip()
    headers = {"content-type": "application/json", "retry-after": "3", "x-request-id": "req_9"}
    replay = Replay(wire.kind, [body], status, headers)
    with pytest.raises(EngineError) as caught:
        await replay.events(a_request(stream=stream), secret=SECRET)
    assert type(caught.value) is kind
    assert SECRET not in str(caught.value)
    if isinstance(caught.value, UpstreamError):
        assert (caught.value.status, caught.value.upstream_request_id) == (status, "req_9")
        assert caught.value.retry_after_s == 3


@every_wire
@pytest.mark.parametrize("body", [b"", b"<html>Bad gateway</html>", b"[]", b"null"])
async def test_a_refusal_that_nobody_can_read_goes_by_its_status(wire: Wire, body: bytes) -> None:
    with pytest.raises(UpstreamUnavailable):
        await Replay(wire.kind, [body], 502).events()


@every_wire
async def test_an_error_inside_a_good_stream_is_an_error(wire: Wire) -> None:
    frame = wire.frame(json.dumps(wire.errors("", 529)))
    with pytest.raises(UpstreamError):
        await Replay(wire.kind, [*wire.stream[:3], frame]).events()


@every_wire
async def test_the_key_travels_in_a_header_and_nowhere_else(wire: Wire) -> None:
    replay = Replay(wire.kind, wire.stream)
    await replay.events(secret=SECRET)
    (sent,) = replay.sent
    assert SECRET not in str(sent.url)
    assert SECRET.encode() not in sent.content
    assert sum(SECRET in value for value in sent.headers.values()) == 1


@every_wire
async def test_the_output_is_always_bounded_by_the_smaller_limit(wire: Wire) -> None:
    replay = Replay(wire.kind, wire.stream)
    for asked, sent in [(None, 100), (7, 7), (5000, 100)]:
        await replay.events(a_request(max_output_tokens=asked), max_output_tokens=100)
        assert wire.limit_in(replay.body) == sent


@every_raw_wire
async def test_unknown_fields_of_the_same_wire_survive_and_others_do_not_cross(wire: Wire) -> None:
    replay = Replay(wire.kind, wire.stream)
    body = {"model": "public", "messages": [{"role": "user", "content": "Hi"}], "new": {"a": [1]}}
    await replay.events(a_request(raw=RawBody(wire.kind, body, {}, 100)))
    assert replay.body["new"] == {"a": [1]}
    assert replay.body["messages"] == body["messages"]
    assert (replay.body["model"], replay.body["stream"]) == ("model1", True)
    await replay.events(a_request(raw=RawBody("another", body, {}, 100)))
    assert "new" not in replay.body


@every_wire
async def test_tools_and_their_results_keep_their_ids(wire: Wire) -> None:
    replay = Replay(wire.kind, wire.stream)
    call = ToolCall("call_a", "look", '{"at": "sky"}')
    messages = (
        Message.of(Role.SYSTEM, "Be brief."),
        Message.of(Role.USER, "Look"),
        Message(Role.ASSISTANT, (Text("I look."), call)),
        Message(Role.TOOL, (ToolResult("call_a", "blue"),)),
    )
    tool = Tool("look", "Looks.", {"type": "object"})
    await replay.events(a_request(messages=messages, tools=(tool,), tool_choice="look"))
    sent = replay.sent[-1].content.decode()
    assert sent.count('"call_a"') == 2
    assert '"Be brief."' in sent
    assert "blue" in sent


@every_wire
async def test_a_provider_that_never_answers_times_out(
    wire: Wire, ledger: MemoryLedger, recorder: Recorder, script: Script
) -> None:
    async def silent(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(3600)
        raise AssertionError

    adapter = ADAPTERS[wire.kind](Upstream(transport=httpx.MockTransport(silent)))
    engine = an_engine(script, ledger, recorder, adapters={wire.kind: adapter})
    with pytest.raises(UpstreamTimeout):
        async with engine.open(a_request(), CALLER, a_route(a_deployment(kind=wire.kind))):
            pass
    (record,) = recorder.attempts
    assert (record.status, record.may_be_billed) == (AttemptStatus.FAILED, True)


@every_wire
async def test_the_bound_of_the_prompt_grows_with_its_messages(wire: Wire) -> None:

    adapter = Replay(wire.kind).adapter()
    few = Call(a_request(), CALLER, a_route(), 0.0)
    many = Call(a_request(messages=(Message.of(Role.USER, "x"),) * 9), CALLER, a_route(), 0.0)
    assert 0 < adapter.input_overhead(few) < adapter.input_overhead(many)
