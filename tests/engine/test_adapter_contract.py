"""What every wire format must hold; a new adapter adds itself to `WIRES` and passes."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
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
from providers.engine.request import (
    Image,
    Message,
    RawBody,
    ResponseSchema,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from providers.engine.routes import KINDS
from providers.engine.upstream import Upstream
from tests.engine.adapters.replay import ADAPTERS, Replay, sse
from tests.engine.conftest import an_engine
from tests.engine.wires import WIRES
from tests.engine.wires.endings import ENDINGS, REFUSALS
from tests.engine.wires.wire import CALLS, SECRET, Wire
from tests.fakes import CALLER, MemoryLedger, Recorder, Script, a_deployment, a_request, a_route

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


@pytest.mark.parametrize(("kind", "reason", "body"), ENDINGS)
async def test_every_way_to_end_is_told_apart(
    kind: str, reason: FinishReason, body: dict[str, Any]
) -> None:
    events = await Replay(kind, [json.dumps(body).encode()]).events(a_request(stream=False))
    assert events[-1] == Finish(reason)
    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == "Hi"


def test_every_wire_tells_a_full_answer_from_a_cut_one() -> None:
    told = {(kind, reason) for kind, reason, _ in ENDINGS}
    wanted = (FinishReason.STOP, FinishReason.LENGTH)
    assert {(wire.kind, reason) for wire in WIRES for reason in wanted} <= told


@pytest.mark.parametrize(("kind", "body"), REFUSALS)
async def test_a_refusal_is_told_from_an_answer(kind: str, body: dict[str, Any]) -> None:
    events = await Replay(kind, [json.dumps(body).encode()]).events(a_request(stream=False))
    assert TextDelta("No.", is_refusal=True) in events


@every_wire
async def test_an_image_goes_with_the_words_in_its_own_bytes(wire: Wire) -> None:
    replay = Replay(wire.kind, wire.stream)
    image = Image("data:image/png;base64,aW1hZ2U=")
    said = (Message(Role.USER, (Text("What is it?"), image)),)
    await replay.events(a_request(messages=said))
    sent = replay.sent[-1].content
    assert b"aW1hZ2U=" in sent
    assert b"What is it?" in sent


@every_wire
async def test_a_schema_of_the_answer_reaches_the_model(wire: Wire) -> None:
    replay = Replay(wire.kind, wire.stream)
    schema = {"type": "object", "properties": {"zebra": {"type": "string"}}}
    await replay.events(a_request(response_schema=ResponseSchema(schema)))
    assert b"zebra" in replay.sent[-1].content


@every_wire
async def test_results_of_parallel_calls_all_go_back(wire: Wire) -> None:
    replay = Replay(wire.kind, wire.stream)
    said = (
        Message.of(Role.USER, "Look"),
        Message(Role.ASSISTANT, tuple(called.call for called in CALLS)),
        Message(
            Role.TOOL,
            tuple(ToolResult(c.call.id, f"result {n}") for n, c in enumerate(CALLS)),
        ),
    )
    tools = tuple(Tool(c.call.name, "Does.", {"type": "object"}) for c in CALLS)
    await replay.events(a_request(messages=said, tools=tools))
    sent = replay.sent[-1].content
    assert b"result 0" in sent
    assert b"result 1" in sent


@every_wire
async def test_the_address_of_an_image_is_never_fetched_by_us(wire: Wire) -> None:
    replay = Replay(wire.kind, wire.stream)
    image = Image("https://internal.example/secret.png")
    said = (Message(Role.USER, (Text("What is it?"), image)),)
    # A wire that takes no address says so; none of them goes there.
    with suppress(EngineError):
        await replay.events(a_request(messages=said), base_url="https://provider.example/v1")
    assert {sent.url.host for sent in replay.sent} <= {"provider.example"}
