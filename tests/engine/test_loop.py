"""Answers of several steps, with a scripted provider, scripted tools and a ledger in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as budget_of
from hypothesis import strategies as st

from providers.engine.call import AttemptStatus, Call, step_id
from providers.engine.errors import (
    EngineError,
    InvalidRequest,
    StreamCut,
    Unpriced,
    UpstreamUnavailable,
)
from providers.engine.events import (
    Event,
    Finish,
    FinishReason,
    Notice,
    ReasoningDelta,
    Start,
    StepEnded,
    TextDelta,
    ToolCalled,
    ToolResulted,
    UsageReported,
)
from providers.engine.events_v1 import TERMINAL, Scribe, records
from providers.engine.pipeline import Engine
from providers.engine.request import (
    AllOf,
    CompletionRequest,
    CostLimit,
    MaxSteps,
    Message,
    Reasoning,
    Role,
    Text,
    TimeLimit,
    Tool,
    ToolCall,
    ToolResult,
    UntilTool,
)
from providers.engine.routes import Route
from providers.engine.tools import HostedTool, ToolFailed, ToolStatus
from providers.engine.usage import Usage
from tests.engine.conftest import ClockLoop, an_engine, now, utcnow
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

FIRST, SECOND = a_deployment(1), a_deployment(2)
DOWN = UpstreamUnavailable("down.", status=503)
ADD = ToolCall("call_a", "add", '{"n": 1}')
LOOK = ToolCall("call_b", "look", '{"n": 5}')
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


class Tools(dict[str, HostedTool]):
    """`add` answers n + 1 at once, `look` after n seconds, `bad` fails; `ran` keeps each run."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, int]] = []
        plays = {"add": self._add, "look": self._look, "bad": self._bad}
        super().__init__({
            name: HostedTool(Tool(name, f"The tool {name}.", SCHEMA), run)
            for name, run in plays.items()
        })

    async def _add(self, given: Mapping[str, Any]) -> str:
        self.ran.append(("add", given["n"]))
        return str(given["n"] + 1)

    async def _look(self, given: Mapping[str, Any]) -> str:
        self.ran.append(("look", given["n"]))
        await asyncio.sleep(given["n"])
        return "seen"

    async def _bad(self, given: Mapping[str, Any]) -> str:
        self.ran.append(("bad", given["n"]))
        raise ToolFailed("It is closed today.")


@pytest.fixture
def tools() -> Tools:
    return Tools()


def asking(*names: str, **fields: Any) -> CompletionRequest:
    return a_request(hosted_tools=names or ("add", "look", "bad"), **fields)


async def read(
    engine: Engine,
    tools: Mapping[str, HostedTool],
    request: CompletionRequest | None = None,
    route: Route | None = None,
    into: list[Event] | None = None,
) -> tuple[Call, list[Event]]:
    events = into if into is not None else []
    asked = request or asking()
    async with engine.open(asked, CALLER, route or a_route(), tools) as answer:
        async for event in answer.events:
            events.append(event)
    return answer.call, events


def of(kind: type[Any], events: list[Event]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


async def test_a_run_is_one_answer_with_each_step_told(
    engine: Engine, script: Script, tools: Tools
) -> None:
    script.plays_for(FIRST, a_calling(ADD), an_answer("It is 2.", usage=Usage(9, 4)))
    call, events = await read(engine, tools)
    result = ToolResult("call_a", "2", name="add")
    assert events == [
        Start("provider1/model1", 1),
        ToolCalled(0, ADD),
        ToolResulted("add", result, 0),
        StepEnded(1, "", (ADD,), (result,), Usage(3, 2), 7_000, 0, FinishReason.TOOL_CALLS),
        Start("provider1/model1", 1),
        TextDelta("It is 2."),
        StepEnded(2, "It is 2.", (), (), Usage(9, 4), 17_000, 0, FinishReason.STOP),
        UsageReported(Usage(12, 6), 24_000),
        Finish(FinishReason.STOP, "The model called no more tools."),
    ]
    assert (call.usage, call.cost_nano) == (Usage(12, 6), 24_000)


async def test_the_model_sees_its_calls_and_the_results_under_the_same_ids(
    engine: Engine, script: Script, tools: Tools
) -> None:
    """Every provider refuses a result whose call it cannot find, and a call without a result."""
    script.plays_for(FIRST, a_calling(LOOK, ADD, text="Wait."), an_answer())
    await read(engine, tools)
    assert [tool.name for tool in script.asked[0].tools] == ["add", "look", "bad"]
    assert script.asked[1].messages == (
        Message.of(Role.USER, "Hello"),
        Message(Role.ASSISTANT, (Text("Wait."), LOOK, ADD)),
        Message(
            Role.TOOL,
            (ToolResult("call_b", "seen", name="look"), ToolResult("call_a", "2", name="add")),
        ),
    )


async def test_sealed_thoughts_go_back_in_their_place(
    engine: Engine, script: Script, tools: Tools
) -> None:
    thought = Reasoning("Add.", signature="seal", wire="script")
    thinking: list[Any] = [ReasoningDelta("Add."), ReasoningDelta("", thought)]
    script.plays_for(FIRST, [*thinking, *a_calling(ADD)], an_answer())
    await read(engine, tools)
    assert script.asked[1].messages[1].parts == (thought, ADD)


async def test_tools_of_one_step_run_side_by_side(
    engine: Engine, script: Script, tools: Tools
) -> None:
    looks = [ToolCall(f"call_{n}", "look", '{"n": 5}') for n in range(4)]
    script.plays_for(FIRST, a_calling(*looks), an_answer())
    began = now()
    _, events = await read(engine, tools)
    assert now() - began == pytest.approx(5)
    assert of(StepEnded, events)[0].duration_ms == 5_000
    assert len(of(ToolResulted, events)) == 4


@pytest.mark.parametrize(
    ("call", "words", "status"),
    [
        (ToolCall("c", "bad", '{"n": 1}'), "closed today", ToolStatus.FAILED),
        (ToolCall("c", "made_up", "{}"), "no such tool", ToolStatus.UNKNOWN),
        (ToolCall("c", "add", '{"n": "x"}'), "$.n", ToolStatus.INVALID_INPUT),
        (ToolCall("c", "add", '{"n":'), "not JSON", ToolStatus.INVALID_INPUT),
        (ToolCall("c", "look", '{"n": 99}'), "longer than", ToolStatus.TIMEOUT),
    ],
)
async def test_a_tool_that_fails_is_an_error_result_and_the_run_goes_on(
    engine: Engine,
    script: Script,
    tools: Tools,
    recorder: Recorder,
    call: ToolCall,
    words: str,
    status: ToolStatus,
) -> None:
    script.plays_for(FIRST, a_calling(call), an_answer("Sorry."))
    _, events = await read(engine, tools)
    (resulted,) = of(ToolResulted, events)
    assert resulted.result.is_error
    assert words in resulted.result.content
    assert script.asked[1].messages[-1].parts == (resulted.result,)
    assert [ran.status for ran in recorder.tools] == [status]
    assert events[-1].reason is FinishReason.STOP  # type: ignore[union-attr] # the last is Finish


async def test_a_retry_does_not_run_a_tool_again(script: Script, tools: Tools) -> None:
    route = a_route(a_deployment(1, max_attempts=3))
    script.plays_for(FIRST, a_calling(ADD), [DOWN], [DOWN], an_answer())
    engine = an_engine(script, MemoryLedger(), Recorder())
    call, events = await read(engine, tools, route=route)
    assert tools.ran == [("add", 1)]
    assert [record.status for record in call.attempts] == [
        AttemptStatus.OK,
        AttemptStatus.FAILED,
        AttemptStatus.FAILED,
        AttemptStatus.OK,
    ]
    assert of(Start, events)[1].attempt == 3
    assert len(of(Notice, events)) == 2


async def test_a_fallback_does_not_run_a_tool_again(
    engine: Engine, script: Script, tools: Tools
) -> None:
    script.plays_for(FIRST, a_calling(ADD), [DOWN])
    _, events = await read(engine, tools, route=a_route(FIRST, SECOND))
    assert tools.ran == [("add", 1)]
    assert [start.deployment for start in of(Start, events)] == [FIRST.name, SECOND.name]
    assert script.asked[-1].messages[-1].parts == (ToolResult("call_a", "2", name="add"),)


async def test_every_step_has_a_reservation_of_its_own_under_an_id_that_follows_the_runs(
    engine: Engine, script: Script, tools: Tools, ledger: MemoryLedger
) -> None:
    script.plays_for(FIRST, a_calling(ADD), a_calling(ADD), an_answer())
    request = asking()
    call, _ = await read(engine, tools, request)
    ids = [intent.request_id for intent in ledger.intents]
    assert ids == [step_id(request.id, number) for number in (1, 2, 3)]
    assert ids[0] == request.id
    assert (ledger.held, len(ledger.settled)) == ({}, 3)
    assert ledger.spent_nano == call.cost_nano


async def test_a_step_is_settled_before_the_tools_run(
    engine: Engine, script: Script, ledger: MemoryLedger
) -> None:
    seen: list[tuple[int, int]] = []

    async def looks(given: Mapping[str, Any]) -> str:
        seen.append((ledger.held_nano, ledger.spent_nano))
        return "ok"

    script.plays_for(FIRST, a_calling(ADD), an_answer())
    await read(engine, {"add": HostedTool(Tool("add", "", SCHEMA), looks)}, asking("add"))
    assert seen == [(0, 7_000)]


async def test_the_hard_cap_binds_whatever_a_request_asks(script: Script, tools: Tools) -> None:
    script.plays_for(FIRST, a_calling(ADD))
    engine = an_engine(script, MemoryLedger(), Recorder(), most_steps=3)
    _, events = await read(engine, tools, asking(stop_when=MaxSteps(50)))
    assert len(of(StepEnded, events)) == 3
    assert events[-1] == Finish(FinishReason.TOOL_CALLS, "It took 3 steps, the most allowed.")


async def test_a_request_may_ask_for_fewer_steps(
    engine: Engine, script: Script, tools: Tools
) -> None:
    script.plays_for(FIRST, a_calling(ADD))
    _, events = await read(engine, tools, asking(stop_when=MaxSteps(2)))
    assert len(of(StepEnded, events)) == 2


async def test_a_run_ends_when_all_of_its_conditions_hold(
    engine: Engine, script: Script, tools: Tools
) -> None:
    script.plays_for(FIRST, a_calling(ADD), a_calling(LOOK), an_answer())
    both = AllOf((UntilTool("look"), TimeLimit(4)))
    _, events = await read(engine, tools, asking(stop_when=both))
    assert events[-1].stopped_by == (  # type: ignore[union-attr] # the last is Finish
        "The tool look was called. The time limit of 4 seconds is over."
    )


async def test_the_cost_limit_is_cumulative_and_checked_before_the_next_step_is_paid_for(
    engine: Engine, script: Script, tools: Tools, ledger: MemoryLedger
) -> None:
    """The guide's snippet compares each step with the whole budget and never stops a long run."""
    script.plays_for(FIRST, a_calling(ADD))
    request = asking("add", max_output_tokens=10)
    worst_of_first = 120_000
    limit = worst_of_first + 300_000
    _, events = await read(engine, tools, _limited(request, limit))
    steps = of(StepEnded, events)
    assert 1 < len(steps) < 20
    assert all(step.cost_nano < limit for step in steps)
    assert ledger.spent_nano <= limit
    assert "of the cost limit of" in str(events[-1])


async def test_a_cost_limit_below_one_step_is_refused_before_anything_is_sent(
    engine: Engine, script: Script, tools: Tools
) -> None:
    with pytest.raises(InvalidRequest, match="One step may cost up to") as caught:
        await read(engine, tools, _limited(asking(), 10))
    assert caught.value.param == "stop"
    assert script.opened == []


async def test_a_cost_limit_on_a_route_without_prices_is_refused(
    engine: Engine, script: Script, tools: Tools
) -> None:
    with pytest.raises(Unpriced, match="cost limit cannot be kept"):
        await read(engine, tools, _limited(asking(), 10**9), a_route(a_deployment(1, price=None)))
    assert script.opened == []


def _limited(request: CompletionRequest, nano: int) -> CompletionRequest:
    return replace(request, stop_when=CostLimit(nano))


async def test_what_the_budgets_leave_ends_the_run_and_keeps_what_came(
    engine: Engine, script: Script, tools: Tools, ledger: MemoryLedger
) -> None:
    script.plays_for(FIRST, a_calling(ADD, text="So far."))
    ledger.limit_nano = 500_000
    _, events = await read(engine, tools, asking("add", max_output_tokens=10))
    assert len(of(StepEnded, events)) > 1
    assert ledger.spent_nano <= ledger.limit_nano
    assert events[-1] == Finish(FinishReason.TOOL_CALLS, "The budget is spent.")
    assert ledger.held == {}


async def test_a_call_of_the_callers_own_tool_ends_the_run_with_what_ran_here(
    engine: Engine, script: Script, tools: Tools
) -> None:
    theirs = ToolCall("call_t", "send_mail", "{}")
    script.plays_for(FIRST, a_calling(theirs, ADD), an_answer())
    mail = Tool("send_mail", "", {"type": "object"})
    _, events = await read(engine, tools, asking("add", tools=(mail,)))
    (ended,) = of(StepEnded, events)
    assert ended.calls == (theirs, ADD)
    assert [result.call_id for result in ended.results] == ["call_a"]
    assert events[-1] == Finish(FinishReason.TOOL_CALLS, "The caller runs send_mail.")
    assert len(script.asked) == 1


async def test_a_step_that_was_cut_short_runs_no_tool(
    engine: Engine, script: Script, tools: Tools
) -> None:
    """The last call of a truncated step may be valid JSON and still not what was meant."""
    script.plays_for(FIRST, [ToolCalled(0, ADD), Finish(FinishReason.LENGTH)])
    _, events = await read(engine, tools)
    assert tools.ran == []
    assert events[-1] == Finish(FinishReason.LENGTH, "The model was cut short by its output limit.")


async def test_a_tool_that_had_to_be_called_is_not_asked_for_again(
    engine: Engine, script: Script, tools: Tools
) -> None:
    """Otherwise the model must call it in each step, until the cap."""
    script.plays_for(FIRST, a_calling(ADD), an_answer())
    await read(engine, tools, asking(tool_choice="add"))
    assert [asked.tool_choice for asked in script.asked] == ["add", "auto"]


async def test_a_tool_that_is_not_allowed_is_refused_by_name(
    engine: Engine, script: Script, tools: Tools
) -> None:
    with pytest.raises(InvalidRequest, match="no tool 'shell' for you here") as caught:
        await read(engine, tools, asking("shell"))
    assert "Allowed: add, bad, look." in caught.value.message
    assert caught.value.param == "tools"
    assert script.opened == []


async def test_a_tool_of_the_callers_may_not_hide_one_of_ours(engine: Engine, tools: Tools) -> None:
    with pytest.raises(InvalidRequest, match="give yours another name"):
        await read(engine, tools, asking("add", tools=(Tool("add", "", SCHEMA),)))


async def test_with_several_steps_switched_off_hosted_tools_are_refused(
    script: Script, tools: Tools
) -> None:
    engine = an_engine(script, MemoryLedger(), Recorder(), most_steps=1)
    with pytest.raises(InvalidRequest, match="switched off"):
        await read(engine, tools)
    _, events = await read(engine, tools, a_request(stop_when=MaxSteps(5)))
    assert len(of(StepEnded, events)) == 1


async def test_a_failure_in_a_later_step_is_raised_after_what_came_before(
    engine: Engine, script: Script, tools: Tools, ledger: MemoryLedger, recorder: Recorder
) -> None:
    script.plays_for(FIRST, a_calling(ADD), [TextDelta("Half"), DOWN])
    seen: list[Event] = []
    with pytest.raises(UpstreamUnavailable):
        await read(engine, tools, into=seen)
    assert len(of(StepEnded, seen)) == 1
    assert seen[-1] == TextDelta("Half")
    assert recorder.calls == ["upstream_unavailable"]
    assert (ledger.held, len(ledger.settled)) == ({}, 2)


async def test_who_leaves_in_a_later_step_pays_for_what_came_and_closes_the_upstream(
    engine: Engine, script: Script, tools: Tools, ledger: MemoryLedger
) -> None:
    script.plays_for(FIRST, a_calling(ADD), [TextDelta("x" * 40), asyncio.Event(), *an_answer()])
    async with engine.open(asking(), CALLER, a_route(), tools) as answer:
        async for event in answer.events:
            if isinstance(event, TextDelta):
                break
    assert script.closed == [FIRST.name, FIRST.name]
    assert [record.status for record in answer.call.attempts] == [
        AttemptStatus.OK,
        AttemptStatus.CANCELLED,
    ]
    assert ledger.held == {}
    assert ledger.spent_nano == answer.call.cost_nano


async def test_who_leaves_while_a_tool_runs_leaves_nothing_behind(
    engine: Engine, script: Script, tools: Tools, ledger: MemoryLedger
) -> None:
    script.plays_for(FIRST, a_calling(ToolCall("c", "look", '{"n": 9}')))
    reading = asyncio.create_task(read(engine, tools))
    await asyncio.sleep(1)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert tools.ran == [("look", 9)]
    assert len(ledger.settled) == 1
    assert len(asyncio.all_tasks()) == 1


async def test_an_answer_that_is_never_read_is_closed_and_settled(
    engine: Engine, script: Script, tools: Tools, ledger: MemoryLedger
) -> None:
    async with engine.open(asking(), CALLER, a_route(), tools):
        pass
    assert script.closed == [FIRST.name]
    assert (ledger.held, len(ledger.settled)) == ({}, 1)


async def test_an_answer_without_steps_passes_untouched(
    engine: Engine, script: Script, ledger: MemoryLedger
) -> None:
    call, events = await read(engine, {}, a_request())
    assert of(StepEnded, events) == []
    assert call.steps == []


PLAYS = st.lists(
    st.one_of(
        st.just(a_calling(ADD)),
        st.just(a_calling(ADD, LOOK)),
        st.just(a_calling(ToolCall("c", "bad", "{}"))),
        st.just(a_calling(ToolCall("c", "nope", "{"))),
        st.just(an_answer("Hi")),
        st.just([TextDelta("Half")]),
        st.just([TextDelta("Half"), DOWN]),
        st.just([DOWN]),
        st.just([StreamCut("cut.")]),
        st.just([TextDelta("Half"), RuntimeError("a bug")]),
        st.just([ToolCalled(0, ADD), Finish(FinishReason.LENGTH)]),
        st.just([Finish(FinishReason.CONTENT_FILTER)]),
    ),
    min_size=1,
    max_size=5,
)


@given(PLAYS, st.sampled_from([None, MaxSteps(3), CostLimit(20_000_000), TimeLimit(3)]))
@budget_of(max_examples=60, deadline=None)
def test_any_script_ends_in_exactly_one_terminal_event_and_one_settlement_a_step(
    plays: list[list[Any]], condition: Any
) -> None:
    async def run() -> None:
        script, ledger, lost = Script(), MemoryLedger(), list[Exception]()
        script.plays_for(FIRST, *plays)
        engine = an_engine(script, ledger, Recorder(), most_steps=6)
        request = asking(stop_when=condition)
        scribe = Scribe(request.id, utcnow)
        try:
            async with engine.open(request, CALLER, a_route(FIRST), Tools()) as answer:
                found = [each async for each in records(answer.events, scribe, lost.append)]
        except EngineError as refused:
            found = [scribe.failure(refused)]
        except RuntimeError:
            return
        ends = [record["type"] in TERMINAL for record in found]
        assert ends == [False] * (len(found) - 1) + [True]
        assert ledger.held == {}
        assert len(ledger.settled) == len(ledger.intents)
        assert len(script.opened) == len(script.closed)

    loop = ClockLoop()
    try:
        loop.run_until_complete(run())
    finally:
        loop.close()
