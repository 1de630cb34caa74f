"""Answers that must be JSON: read without inventing, asked for in three ways, asked again once."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.engine import structured
from providers.engine.errors import AnswerInvalid, InvalidRequest
from providers.engine.events import (
    Event,
    Finish,
    FinishReason,
    Notice,
    NoticeKind,
    StepEnded,
    TextDelta,
    ToolCallDelta,
    ToolCalled,
    UsageReported,
)
from providers.engine.pipeline import Engine
from providers.engine.request import (
    CompletionRequest,
    CostLimit,
    MaxSteps,
    Message,
    ResponseSchema,
    Role,
    Tool,
    ToolCall,
)
from providers.engine.routes import Ability, Deployment
from providers.engine.usage import Usage
from tests.fakes import CALLER, MemoryLedger, Script, a_deployment, a_request, a_route, an_answer

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"age": {"type": "integer"}, "name": {"type": "string"}},
    "required": ["age"],
}
WANTED = ResponseSchema(SCHEMA, name="person")
GOOD = '{"age": 36}'
PLAIN = a_deployment(1, lacks=frozenset({Ability.JSON, Ability.TOOLS}))
CALLS = a_deployment(1, lacks=frozenset({Ability.JSON}))


@pytest.mark.parametrize(
    ("text", "found", "repaired"),
    [
        (GOOD, GOOD, False),
        (f"\n {GOOD} \n", GOOD, False),
        (f"```json\n{GOOD}\n```", GOOD, True),
        (f"Here you are:\n{GOOD}\nAnything else?", GOOD, True),
        (f"As {{you}} asked [1]: {GOOD}", GOOD, True),
        ('{"age": 36, "name": "a,}",}', '{"age": 36, "name": "a,}"}', True),
        ('{"age": 36, "tags": [1, 2,],}', '{"age": 36, "tags": [1, 2]}', True),
        ('{"age": 1e2, "name": "1.10"}', '{"age": 1e2, "name": "1.10"}', False),
    ],
)
def test_only_syntax_is_repaired(text: str, found: str, repaired: bool) -> None:
    result = structured.read(text, WANTED)
    assert (result.text, result.faults, result.was_repaired) == (found, (), repaired)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "not JSON"),
        ("I would rather not.", "not JSON"),
        ('{"age": 36', "not JSON"),
        ('{"name": "Ada"}', "$: lacks age"),
        ('{"age": "36"}', "$.age"),
        ('{"age": 36.5}', "$.age"),
        ('{"age": null}', "$.age"),
        ('{"age": NaN}', "not JSON"),
        ("[36]", "type"),
        ("{'age': 36}", "not JSON"),
    ],
)
def test_no_value_is_made_up_completed_or_converted(text: str, fault: str) -> None:
    result = structured.read(text, WANTED)
    assert fault in " ".join(result.faults)


def test_a_part_of_a_cut_answer_is_not_taken_for_the_answer() -> None:
    cut = '{"people": [{"age": 36}, {"age": 4'
    assert structured.read(cut, WANTED).faults == ("$: it is not JSON",)
    broken = '{"people": oops, "x": {"age": 36}}'
    assert structured.read(broken, WANTED).faults == ("$: it is not JSON",)


def test_without_a_schema_any_object_is_good() -> None:
    assert structured.read('{"a": 1}', ResponseSchema()).faults == ()
    assert structured.read("[1]", ResponseSchema()).faults != ()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.text(max_size=5), JSON), st.sampled_from(["", "```json\n", "So: "]))
@settings(max_examples=40, deadline=None)
def test_what_is_read_is_what_was_written_whatever_stands_around_it(
    value: dict[str, Any], before: str
) -> None:
    after = "\n```" if before.startswith("`") else ""
    result = structured.read(before + json.dumps(value) + after, ResponseSchema())
    assert json.loads(result.text) == value


async def read(
    engine: Engine,
    deployment: Deployment,
    request: CompletionRequest | None = None,
    into: list[Event] | None = None,
) -> list[Event]:
    asked = request or a_request(response_schema=WANTED, stop_when=MaxSteps(5))
    events = [] if into is None else into
    async with engine.open(asked, CALLER, a_route(deployment)) as answer:
        async for event in answer.events:
            events.append(event)
    return events


def told(events: list[Event]) -> list[str]:
    return [
        event.message
        for event in events
        if isinstance(event, Notice) and event.kind is NoticeKind.STRUCTURED
    ]


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


async def test_a_native_answer_is_passed_on_when_it_is_known_to_fit(
    engine: Engine, script: Script
) -> None:
    script.plays_for(PLAIN, an_answer("```", '{"age"', ": 36}\n```"))
    events = await read(engine, replace(PLAIN, lacks=frozenset()))
    assert [event for event in events if isinstance(event, TextDelta)] == [TextDelta(GOOD)]
    assert script.asked[0].response_schema == WANTED
    assert told(events) == [
        "The answer fits its schema, asked for by the model's own means. Its syntax was repaired."
    ]


async def test_a_model_without_schemas_is_asked_by_a_tool(engine: Engine, script: Script) -> None:
    call = ToolCall("1", "person", GOOD)
    script.plays_for(
        CALLS,
        [
            TextDelta("Let me see."),
            ToolCallDelta(0, GOOD[:4], "1", "person"),
            ToolCallDelta(0, GOOD[4:]),
            ToolCalled(0, call),
            UsageReported(Usage(3, 2)),
            Finish(FinishReason.TOOL_CALLS),
        ],
    )
    events = await read(engine, CALLS)
    (asked,) = script.asked
    assert (asked.response_schema, asked.tool_choice) == (None, "person")
    assert [tool.parameters for tool in asked.tools] == [SCHEMA]
    assert text_of(events) == GOOD
    assert events[-1] == Finish(FinishReason.STOP)
    assert "by a tool" in told(events)[0]


async def test_a_model_that_answers_beside_the_tool_is_read_all_the_same(
    engine: Engine, script: Script
) -> None:
    script.plays_for(CALLS, an_answer(GOOD))
    assert text_of(await read(engine, CALLS)) == GOOD


async def test_a_model_without_tools_is_asked_in_words(engine: Engine, script: Script) -> None:
    script.plays_for(PLAIN, an_answer(GOOD))
    events = await read(engine, PLAIN)
    (asked,) = script.asked
    assert asked.response_schema is None
    assert asked.messages[0].role is Role.SYSTEM
    assert json.dumps(SCHEMA, separators=(",", ":")) in asked.messages[0].text
    assert "by the prompt" in told(events)[0]


async def test_the_words_are_put_behind_a_system_prompt_that_is_there(
    engine: Engine, script: Script
) -> None:
    script.plays_for(PLAIN, an_answer(GOOD))
    request = a_request(response_schema=WANTED, stop_when=MaxSteps(5))
    system = Message.of(Role.SYSTEM, "Be brief.")
    await read(engine, PLAIN, replace(request, messages=(system, *request.messages)))
    (asked,) = script.asked
    assert [message.role for message in asked.messages] == [Role.SYSTEM, Role.USER]
    assert asked.messages[0].text.startswith("Be brief.\n\n")


async def test_other_tools_are_not_kept_from_being_called(engine: Engine, script: Script) -> None:
    script.plays_for(CALLS, an_answer(GOOD))
    tool = Tool("look", "", {"type": "object"})
    request = a_request(response_schema=WANTED, stop_when=MaxSteps(5), tools=(tool,))
    events = await read(engine, CALLS, request)
    assert script.asked[0].tools == (tool,)
    assert "by the prompt" in told(events)[0]


async def test_an_answer_that_is_not_checked_is_not_asked_for_in_another_way(
    engine: Engine, script: Script
) -> None:
    """The caller's own wire: `/v1` must not find an answer that its schema never saw."""
    with pytest.raises(InvalidRequest, match="a JSON schema"):
        await read(engine, PLAIN, a_request(response_schema=WANTED))
    assert script.asked == []


async def test_what_does_not_fit_is_asked_for_once_more_with_the_faults(
    engine: Engine, script: Script
) -> None:
    script.plays_for(PLAIN, an_answer('{"age": "old"}'), an_answer(GOOD))
    events = await read(engine, replace(PLAIN, lacks=frozenset()))
    first, second = script.asked
    assert len(second.messages) == len(first.messages) + 2
    assert second.messages[-2] == Message.of(Role.ASSISTANT, '{"age": "old"}')
    assert '$.age: must satisfy type "integer"' in second.messages[-1].text
    assert text_of(events) == GOOD
    assert len([event for event in events if isinstance(event, StepEnded)]) == 2
    assert "does not fit its schema: $.age" in told(events)[0]


async def test_what_stays_wrong_is_an_error_with_its_paths_and_nothing_of_the_answer(
    engine: Engine, script: Script, ledger: MemoryLedger
) -> None:
    script.plays_for(PLAIN, an_answer('{"age": "a secret"}'))
    seen: list[Event] = []
    with pytest.raises(AnswerInvalid) as caught:
        await read(engine, PLAIN, into=seen)
    assert len(script.asked) == 2
    assert caught.value.faults == ('$.age: must satisfy type "integer"',)
    assert "secret" not in caught.value.message
    assert text_of(seen) == ""
    assert (ledger.held, len(ledger.settled)) == ({}, 2)


async def test_an_answer_cut_by_its_limit_is_not_repaired_and_not_asked_again(
    engine: Engine, script: Script
) -> None:
    script.plays_for(PLAIN, [TextDelta(GOOD), Finish(FinishReason.LENGTH)])
    with pytest.raises(AnswerInvalid, match="cut by the output limit"):
        await read(engine, PLAIN)
    assert len(script.asked) == 1


@pytest.mark.parametrize("condition", [MaxSteps(1), CostLimit(8_610_000)])
async def test_no_further_step_is_paid_for_beyond_a_limit(
    engine: Engine, script: Script, condition: Any
) -> None:
    script.plays_for(PLAIN, an_answer("no"))
    request = a_request(response_schema=WANTED, stop_when=condition)
    with pytest.raises(AnswerInvalid):
        await read(engine, replace(PLAIN, lacks=frozenset()), request)
    assert len(script.asked) == 1


async def test_a_budget_that_leaves_too_little_for_asking_again_says_so(
    engine: Engine, script: Script, ledger: MemoryLedger
) -> None:
    ledger.limit_nano = 9_000_000
    script.plays_for(PLAIN, an_answer("no", usage=Usage(3, 1_000)))
    with pytest.raises(AnswerInvalid, match="budget is spent"):
        await read(engine, PLAIN)


async def test_a_refusal_is_passed_on_as_one(engine: Engine, script: Script) -> None:
    declined = TextDelta("I cannot help with that.", is_refusal=True)
    script.plays_for(PLAIN, [declined, Finish(FinishReason.STOP)])
    events = await read(engine, replace(PLAIN, lacks=frozenset()))
    assert declined in events
    assert isinstance(events[-1], Finish)
