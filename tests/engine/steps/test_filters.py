"""What a team's policy keeps from leaving: up, back, and from tools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from providers.engine.call import AttemptStatus
from providers.engine.errors import ContentBlocked, InvalidRequest
from providers.engine.events import (
    Citation,
    Citations,
    Event,
    Finish,
    FinishReason,
    ReasoningDelta,
    Safety,
    TextDelta,
    ToolCallDelta,
    ToolCalled,
    UsageReported,
)
from providers.engine.policy import FilterMode, NamedPattern, Policy
from providers.engine.request import (
    CompletionRequest,
    Message,
    RawBody,
    Reasoning,
    ResponseSchema,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from providers.engine.steps import filters
from providers.engine.tools import HostedTool
from providers.engine.usage import Usage
from tests.engine.conftest import an_engine
from tests.fakes import (
    CALLER,
    MemoryLedger,
    Recorder,
    Script,
    a_calling,
    a_deployment,
    a_request,
    a_route,
    an_answer,
)

MAIL = "alice@example.com"
CARD = "4111 1111 1111 1111"
REDACT_ALL = Policy(
    pii_input=FilterMode.REDACT, pii_output=FilterMode.REDACT, pii_tools=FilterMode.REDACT
)
END = [UsageReported(Usage(3, 2)), Finish(FinishReason.STOP)]


class World:
    def __init__(self, policy: Policy, *answer: Event) -> None:
        self.script, self.ledger, self.recorder = Seen(), MemoryLedger(), Recorder()
        self.engine = an_engine(self.script, self.ledger, self.recorder, policies=lambda _: policy)
        self.script.plays_for(a_deployment(), [*(answer or (TextDelta("Hi"),)), *END])

    async def ask(self, request: CompletionRequest | None = None) -> list[Event]:
        async with self.engine.open(request or a_request("Hello"), CALLER, a_route()) as answer:
            return [event async for event in answer.events]

    @property
    def sent(self) -> CompletionRequest:
        return self.script.requests[-1]


class Seen(Script):
    """Keeps the requests that reach the adapter."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[CompletionRequest] = []

    def open(self, attempt: Any, secret: str | None) -> Any:
        self.requests.append(attempt.call.request)
        return super().open(attempt, secret)


def text_of(events: Sequence[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def safety(events: Sequence[Event]) -> list[tuple[str, bool]]:
    return [(e.category, e.is_blocked) for e in events if isinstance(e, Safety)]


def a_conversation() -> CompletionRequest:
    return a_request(
        messages=(
            Message.of(Role.SYSTEM, f"Escalate to {MAIL}"),
            Message.of(Role.USER, f"My card is {CARD}"),
            Message(Role.ASSISTANT, (ToolCall("c1", "find", f'{{"mail":"{MAIL}","n":1}}'),)),
            Message(Role.TOOL, (ToolResult("c1", f"found {MAIL}"),)),
        )
    )


async def test_a_team_without_a_policy_sends_and_gets_what_was_said() -> None:
    world = World(Policy(), TextDelta(f"to {MAIL}"))
    assert text_of(await world.ask(a_conversation())) == f"to {MAIL}"
    assert world.sent.messages == a_conversation().messages


async def test_system_user_calls_and_tool_results_are_redacted_before_anything_goes_up() -> None:
    world = World(REDACT_ALL)
    events = await world.ask(a_conversation())
    system, user, assistant, tool = world.sent.messages
    assert system.text == "Escalate to [EMAIL_REDACTED]"
    assert user.text == "My card is [CREDIT_CARD_REDACTED]"
    assert assistant.parts == (ToolCall("c1", "find", '{"mail":"[EMAIL_REDACTED]","n":1}'),)
    assert tool.parts == (ToolResult("c1", "found [EMAIL_REDACTED]"),)
    assert safety(events) == [("email", False), ("credit_card", False)]


async def test_each_place_has_its_own_mode() -> None:
    world = World(Policy(pii_tools=FilterMode.REDACT))
    await world.ask(a_conversation())
    assert world.sent.messages[1].text == f"My card is {CARD}"
    assert world.sent.messages[3].parts == (ToolResult("c1", "found [EMAIL_REDACTED]"),)


async def test_flag_changes_nothing_and_says_so() -> None:
    world = World(Policy(pii_input=FilterMode.FLAG, pii_output=FilterMode.FLAG), TextDelta(MAIL))
    events = await world.ask(a_conversation())
    assert world.sent.messages == a_conversation().messages
    assert text_of(events) == MAIL
    assert ("email", False) in safety(events)
    assert world.recorder.findings == [
        ("email", "input", "flag", 2),
        ("credit_card", "input", "flag", 1),
        ("email", "output", "flag", 1),
    ]


async def test_block_names_categories_and_places_and_never_the_text() -> None:
    world = World(Policy(pii_input=FilterMode.BLOCK))
    with pytest.raises(ContentBlocked) as caught:
        await world.ask(a_conversation())
    assert [(v.category, v.path) for v in caught.value.violations] == [
        ("email", "messages.0.content.0"),
        ("credit_card", "messages.1.content.0"),
        ("email", "messages.2.content.0.mail"),
    ]
    assert MAIL not in caught.value.message
    assert "messages.1.content.0" in caught.value.message
    assert world.script.opened == []
    assert world.ledger.intents == []


async def test_the_callers_request_is_not_changed() -> None:
    request = a_conversation()
    before = replace(request)
    await World(REDACT_ALL).ask(request)
    assert request == before


async def test_redaction_of_a_prompt_is_deterministic() -> None:
    world = World(REDACT_ALL)
    request = a_conversation()
    await world.ask(request)
    await world.ask(request)
    assert world.script.requests[0].messages == world.script.requests[1].messages


def a_raw_request(body: dict[str, Any]) -> CompletionRequest:
    raw = RawBody(wire="script", body=body, headers={}, size=10)
    return a_request(f"I am {MAIL}", raw=raw)


async def test_a_raw_body_cannot_carry_out_what_its_messages_may_not() -> None:
    world = World(REDACT_ALL)
    signed = {"type": "thinking", "thinking": MAIL, "signature": "s"}
    body = {
        "model": "gpt",
        "user": MAIL,
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": f"I am {MAIL}", "new": [MAIL]}]},
            {"role": "assistant", "content": [signed]},
            {"role": "tool", "tool_call_id": "c1", "content": CARD},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "description": MAIL}}],
    }
    await world.ask(a_raw_request(body))
    assert world.sent.raw is not None
    assert world.sent.raw.body == {
        "model": "gpt",
        "user": "[EMAIL_REDACTED]",
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "I am [EMAIL_REDACTED]", "new": ["[EMAIL_REDACTED]"]}
                ],
            },
            {"role": "assistant", "content": [signed]},
            {"role": "tool", "tool_call_id": "c1", "content": "[CREDIT_CARD_REDACTED]"},
        ],
        "tools": body["tools"],
    }
    assert world.sent.messages[0].text == "I am [EMAIL_REDACTED]"


async def test_a_raw_body_without_finds_goes_on_as_it_came() -> None:
    world = World(REDACT_ALL)
    body = {"messages": [{"role": "user", "content": "Hello"}], "seed": 123456789}
    request = replace(a_raw_request(body), messages=(Message.of(Role.USER, "Hello"),))
    await world.ask(request)
    assert world.sent is request


async def test_a_raw_body_is_blocked_with_the_callers_own_path() -> None:
    world = World(Policy(pii_input=FilterMode.BLOCK))
    body = {"messages": [{"role": "user", "content": "Hi", "note": MAIL}]}
    with pytest.raises(ContentBlocked) as caught:
        await world.ask(a_raw_request(body))
    assert caught.value.violations[0].path == "messages.0.note"


async def test_a_body_nested_without_end_is_refused() -> None:
    deep: list[Any] = []
    for _ in range(200):
        deep = [deep]
    with pytest.raises(InvalidRequest, match="nested"):
        await World(REDACT_ALL).ask(a_raw_request({"messages": deep}))


async def test_a_sealed_thought_is_left_as_its_provider_wrote_it() -> None:
    thought = Reasoning(MAIL, signature="sealed")
    world = World(REDACT_ALL)
    request = a_request(messages=(Message(Role.ASSISTANT, (thought, Text(MAIL))),))
    await world.ask(request)
    assert world.sent.messages[0].parts == (thought, Text("[EMAIL_REDACTED]"))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
async def test_a_find_across_stream_deltas_is_replaced_whole(size: int) -> None:
    said = f"Write to {MAIL} or pay with {CARD} now"
    deltas = [TextDelta(said[at : at + size]) for at in range(0, len(said), size)]
    world = World(REDACT_ALL, *deltas)
    events = await world.ask()
    assert text_of(events) == "Write to [EMAIL_REDACTED] or pay with [CREDIT_CARD_REDACTED] now"
    assert safety(events) == [("email", False), ("credit_card", False)]
    assert isinstance(events[-1], Finish)
    shown = [event.text for event in events if isinstance(event, TextDelta)]
    assert not any("@" in text or "4111" in text for text in shown)


async def test_thoughts_are_filtered_and_a_changed_one_loses_its_seal() -> None:
    sealed = Reasoning(f"about {MAIL}", signature="s")
    world = World(
        REDACT_ALL,
        ReasoningDelta("about alice@exam"),
        ReasoningDelta("ple.com", replay=sealed),
        TextDelta("Hi"),
    )
    events = await world.ask()
    thoughts = [event for event in events if isinstance(event, ReasoningDelta)]
    assert "".join(thought.text for thought in thoughts) == "about [EMAIL_REDACTED]"
    assert all(thought.replay is None for thought in thoughts)


async def test_a_thought_without_finds_keeps_its_seal() -> None:
    sealed = Reasoning("plain", signature="s")
    world = World(REDACT_ALL, ReasoningDelta("plain", replay=sealed), TextDelta("Hi"))
    assert ReasoningDelta("plain", replay=sealed) in await world.ask()


async def test_arguments_of_a_call_stay_json_and_are_shown_whole() -> None:
    arguments = '{"to": "alice@example.com", "card": 4111111111111111, "n": 2}'
    deltas = [ToolCallDelta(0, arguments[:15], id="c", name="f"), ToolCallDelta(0, arguments[15:])]
    world = World(REDACT_ALL, *deltas, ToolCalled(0, ToolCall("c", "f", arguments)))
    events = await world.ask()
    assert not any(isinstance(event, ToolCallDelta) for event in events)
    called = next(event for event in events if isinstance(event, ToolCalled))
    assert called.call.arguments == (
        '{"to":"[EMAIL_REDACTED]","card":"[CREDIT_CARD_REDACTED]","n":2}'
    )


async def test_an_answer_in_json_stays_json() -> None:
    said = '{"card": 4111111111111111, "mail": "alice@example.com", "n": 1}'
    world = World(REDACT_ALL, TextDelta(said[:20]), TextDelta(said[20:]))
    events = await world.ask(a_request("Hello", response_schema=ResponseSchema()))
    assert text_of(events) == ('{"card":"[CREDIT_CARD_REDACTED]","mail":"[EMAIL_REDACTED]","n":1}')


async def test_a_citation_does_not_quote_what_was_replaced() -> None:
    cited = Citations((Citation(title="Page", quoted=MAIL, start=0, end=5),))
    events = await World(REDACT_ALL, TextDelta(f"{MAIL} "), cited).ask()
    assert Citations((Citation(title="Page", quoted="[EMAIL_REDACTED]"),)) in events


async def test_an_answer_blocked_in_mid_stream_ends_with_its_reason() -> None:
    world = World(
        Policy(pii_output=FilterMode.BLOCK), TextDelta("All is well. "), TextDelta(f"{MAIL} ")
    )
    events = await world.ask()
    assert text_of(events) == "All is well. "
    assert events[-2:] == [
        Safety("email", "An e-mail address in the answer was blocked.", is_blocked=True),
        Finish(FinishReason.CONTENT_FILTER),
    ]
    (record,) = world.recorder.attempts
    assert (record.status, record.error_code) == (AttemptStatus.CANCELLED, "content_blocked")
    assert record.may_be_billed
    assert world.script.closed == world.script.opened
    assert world.recorder.calls == ["content_blocked"]
    assert len(world.ledger.settled) == 1


async def test_a_detector_that_breaks_blocks_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    break_detectors(monkeypatch)
    world = World(REDACT_ALL)
    with pytest.raises(ContentBlocked) as caught:
        await world.ask()
    assert caught.value.violations[0].category == "unchecked"
    assert world.script.opened == []


async def test_a_detector_that_breaks_blocks_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    break_detectors(monkeypatch)
    events = await World(Policy(pii_output=FilterMode.REDACT), TextDelta("Hello you ")).ask()
    assert text_of(events) == ""
    assert safety(events) == [("unchecked", True)]
    assert events[-1] == Finish(FinishReason.CONTENT_FILTER)


async def test_a_detector_that_breaks_stops_nothing_that_is_only_flagged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    break_detectors(monkeypatch)
    world = World(Policy(pii_input=FilterMode.FLAG, pii_output=FilterMode.FLAG), TextDelta("Hi "))
    events = await world.ask()
    assert text_of(events) == "Hi "
    assert set(safety(events)) == {("unchecked", False)}


def break_detectors(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(text: str) -> list[tuple[int, int]]:
        raise ValueError(text)

    broken_finder = filters.Finder({"email": broken})
    monkeypatch.setattr(filters, "_finder", lambda *_: broken_finder)


async def test_a_policy_that_cannot_be_compiled_lets_nothing_out() -> None:
    policy = replace(REDACT_ALL, pii_patterns=(NamedPattern("Mine", "("),))
    world = World(policy)
    with pytest.raises(ContentBlocked):
        await world.ask()
    assert world.script.opened == []


async def test_what_may_have_been_changed_is_not_relayed_as_bytes() -> None:
    world = World(REDACT_ALL)
    async with world.engine.open(a_request(), CALLER, a_route()) as answer:
        assert answer.frames is None


@pytest.mark.parametrize(
    ("mode", "content", "is_error"),
    [
        (FilterMode.REDACT, "found [EMAIL_REDACTED]", False),
        (FilterMode.BLOCK, "Kept back: it holds an e-mail address", True),
    ],
)
async def test_what_a_tool_of_ours_finds_is_screened_before_the_model_sees_it(
    mode: FilterMode, content: str, is_error: bool
) -> None:
    async def find(_: Any) -> str:
        return f"found {MAIL}"

    world = World(Policy(pii_tools=mode))
    call = ToolCall("c1", "find", "{}")
    world.script.plays_for(a_deployment(), a_calling(call), an_answer("done"))
    tools = {"find": HostedTool(Tool("find", "Find.", {"type": "object"}), find)}
    request = a_request("Hello", hosted_tools=("find",))
    async with world.engine.open(request, CALLER, a_route(), tools) as answer:
        events = [event async for event in answer.events]
    (given,) = world.sent.messages[-1].parts
    assert isinstance(given, ToolResult)
    assert given.content.startswith(content)
    assert given.is_error is is_error
    assert MAIL not in repr(events)
    assert world.recorder.findings == [("email", "tools", mode.value, 1)]
