"""Whole ways of a prompt through the engine, with a scripted provider and a ledger in memory."""

from __future__ import annotations

import asyncio

import pytest

from providers.engine.call import AttemptStatus, Call
from providers.engine.errors import (
    BudgetExceeded,
    NoDeploymentAvailable,
    StreamCut,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from providers.engine.events import (
    Event,
    Finish,
    FinishReason,
    Notice,
    NoticeKind,
    Start,
    TextDelta,
    UsageReported,
)
from providers.engine.pipeline import Engine
from providers.engine.request import CompletionRequest
from providers.engine.routes import Route
from providers.engine.usage import Usage
from tests.fakes import (
    CALLER,
    MemoryLedger,
    Recorder,
    Script,
    a_deployment,
    a_request,
    a_route,
    an_answer,
)

FIRST, SECOND = a_deployment(1), a_deployment(2)
DOWN = UpstreamUnavailable("down.", status=503)


async def read(
    engine: Engine,
    request: CompletionRequest | None = None,
    route: Route | None = None,
    into: list[Event] | None = None,
) -> tuple[Call, list[Event]]:
    events = into if into is not None else []
    async with engine.open(request or a_request(), CALLER, route or a_route()) as answer:
        async for event in answer.events:
            events.append(event)
    return answer.call, events


async def test_an_answer_starts_tells_its_usage_once_and_finishes(engine: Engine) -> None:
    call, events = await read(engine)
    assert events == [
        Start("provider1/model1", 1),
        TextDelta("Hi"),
        UsageReported(Usage(3, 2)),
        Finish(FinishReason.STOP),
    ]
    assert call.usage == Usage(3, 2)
    assert call.cost_nano == 3 * 1000 + 2 * 2000


async def test_a_settled_call_holds_nothing_and_has_one_good_attempt(
    engine: Engine, ledger: MemoryLedger, recorder: Recorder
) -> None:
    call, _ = await read(engine)
    (record,) = call.attempts
    assert record.status is AttemptStatus.OK
    assert (record.http_status, record.upstream_request_id) == (200, "req_1")
    assert ledger.held == {}
    assert ledger.spent_nano == call.cost_nano
    assert recorder.attempts == [record]
    assert recorder.calls == [None]


async def test_before_its_first_content_a_fallback_is_silent_and_complete(
    engine: Engine, script: Script, ledger: MemoryLedger
) -> None:
    script.plays_for(FIRST, [DOWN])
    async with engine.open(a_request(), CALLER, a_route(FIRST, SECOND)) as answer:
        events = [event async for event in answer.events]
    assert answer.deployment == SECOND
    assert answer.is_fallback
    assert events[0] == Start("provider2/model2", 2)
    assert isinstance(events[1], Notice)
    assert events[1].kind is NoticeKind.FALLBACK
    assert [event for event in events if isinstance(event, TextDelta)] == [TextDelta("Hi")]
    first, second = answer.call.attempts
    assert (first.status, first.http_status, first.usage) == (AttemptStatus.FAILED, 503, None)
    assert second.status is AttemptStatus.OK
    assert ledger.settled.popitem()[1] == [first, second]


async def test_after_its_first_content_a_failure_is_raised_and_nobody_else_is_asked(
    engine: Engine, script: Script, recorder: Recorder
) -> None:
    script.plays_for(FIRST, [TextDelta("Half"), DOWN])
    seen: list[Event] = []
    with pytest.raises(UpstreamUnavailable):
        await read(engine, route=a_route(FIRST, SECOND), into=seen)
    assert seen == [Start("provider1/model1", 1), TextDelta("Half")]
    assert script.opened == ["provider1/model1"]
    assert recorder.calls == ["upstream_unavailable"]


async def test_an_answer_without_its_terminal_event_is_cut_and_charged_for_what_streamed(
    engine: Engine, script: Script, ledger: MemoryLedger
) -> None:
    script.plays_for(FIRST, [TextDelta("x" * 400)])
    request = a_request("y" * 40)
    with pytest.raises(StreamCut):
        await read(engine, request, a_route(FIRST))
    ((record,),) = ledger.settled.values()
    assert record.status is AttemptStatus.CUT
    assert record.usage == Usage(input_tokens=10, output_tokens=100, estimated=True)
    assert ledger.spent_nano == record.cost_nano


async def test_a_reader_who_catches_the_failure_changes_nothing_of_the_books(
    engine: Engine, script: Script, recorder: Recorder
) -> None:
    script.plays_for(FIRST, [TextDelta("Half"), DOWN])
    async with engine.open(a_request(), CALLER, a_route(FIRST)) as answer:
        with pytest.raises(UpstreamUnavailable):
            [event async for event in answer.events]
    assert answer.call.attempts[0].status is AttemptStatus.CUT
    assert recorder.calls == ["upstream_unavailable"]
    assert engine.breakers.snapshot()[0].consecutive_failures == 1


async def test_a_hung_up_caller_pays_for_what_was_streamed_and_the_upstream_is_closed(
    engine: Engine, script: Script, ledger: MemoryLedger, recorder: Recorder
) -> None:
    script.plays_for(FIRST, [TextDelta("x" * 40), asyncio.Event(), *an_answer()])
    async with engine.open(a_request("y" * 40), CALLER, a_route(FIRST)) as answer:
        async for event in answer.events:
            if isinstance(event, TextDelta):
                break
    assert script.closed == ["provider1/model1"]
    (record,) = answer.call.attempts
    assert (record.status, record.error_code) == (AttemptStatus.CANCELLED, "cancelled")
    assert record.usage == Usage(10, 10, estimated=True)
    assert ledger.spent_nano == answer.call.cost_nano == 30_000
    assert ledger.held == {}
    assert recorder.calls == ["cancelled"]


async def test_a_hang_up_is_charged_by_what_the_provider_had_said(
    engine: Engine, script: Script
) -> None:
    said = Usage(input_tokens=500, output_tokens=1, cache_read_tokens=400)
    script.plays_for(FIRST, [UsageReported(said), TextDelta("x" * 40), asyncio.Event()])
    async with engine.open(a_request(), CALLER, a_route(FIRST)) as answer:
        async for event in answer.events:
            if isinstance(event, TextDelta):
                break
    assert answer.call.usage == Usage(
        500, 10, cache_read_tokens=400, estimated=True, estimated_figures=("output_tokens",)
    )


async def test_a_cancelled_caller_is_settled_all_the_same(
    engine: Engine, script: Script, ledger: MemoryLedger
) -> None:
    script.plays_for(FIRST, [TextDelta("Half"), asyncio.Event()])
    reading = asyncio.create_task(read(engine))
    await asyncio.sleep(1)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await engine.drain()
    assert ledger.held == {}
    assert [len(attempts) for attempts in ledger.settled.values()] == [1]
    assert script.closed == ["provider1/model1"]


async def test_a_caller_cancelled_between_hold_and_answer_leaks_no_hold(
    engine: Engine, ledger: MemoryLedger, script: Script
) -> None:
    async def commits_slowly() -> None:
        await asyncio.sleep(5)

    ledger.before_answer = commits_slowly
    reading = asyncio.create_task(read(engine))
    await asyncio.sleep(1)
    assert ledger.held_nano > 0
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await engine.drain()
    assert ledger.held == {}
    assert script.opened == []


async def test_every_cause_is_kept_when_nobody_could_answer(engine: Engine, script: Script) -> None:
    script.plays_for(FIRST, [UpstreamUnavailable("down.", retry_after_s=7)])
    script.plays_for(SECOND, [UpstreamTimeout("slow.", retry_after_s=3)])
    with pytest.raises(NoDeploymentAvailable) as caught:
        await read(engine, route=a_route(FIRST, SECOND))
    assert [name for name, _ in caught.value.failures] == [FIRST.name, SECOND.name]
    assert caught.value.retry_after_s == 3
    assert "down." in caught.value.message
    assert "slow." in caught.value.message


async def test_a_refusal_of_the_request_itself_is_not_tried_elsewhere(
    engine: Engine, script: Script
) -> None:
    script.plays_for(FIRST, [UpstreamRejected("no such parameter.", status=400)])
    with pytest.raises(UpstreamRejected):
        await read(engine, route=a_route(FIRST, SECOND))
    assert script.opened == [FIRST.name]


async def test_a_spent_budget_sends_nothing_upstream(
    engine: Engine, ledger: MemoryLedger, script: Script, recorder: Recorder
) -> None:
    ledger.limit_nano = 100
    with pytest.raises(BudgetExceeded):
        await read(engine)
    assert script.opened == []
    assert recorder.calls == ["budget_exceeded"]


async def test_a_slow_first_token_times_out_and_leaves_time_for_the_next(
    engine: Engine, script: Script
) -> None:
    script.plays_for(FIRST, [500.0, *an_answer()])
    began = asyncio.get_running_loop().time()
    call, events = await read(engine, route=a_route(FIRST, SECOND))
    assert asyncio.get_running_loop().time() - began == pytest.approx(30)
    assert [record.error_code for record in call.attempts] == ["upstream_timeout", None]
    assert isinstance(events[-1], Finish)


async def test_an_answer_without_content_is_an_answer(engine: Engine, script: Script) -> None:
    script.plays_for(FIRST, [UsageReported(Usage(3, 0)), Finish(FinishReason.CONTENT_FILTER)])
    _, events = await read(engine, route=a_route(FIRST))
    assert events[1:] == [UsageReported(Usage(3, 0)), Finish(FinishReason.CONTENT_FILTER)]


async def test_usage_is_estimated_where_the_provider_did_not_say(
    engine: Engine, script: Script
) -> None:
    script.plays_for(FIRST, [TextDelta("12345678"), Finish(FinishReason.STOP)])
    call, events = await read(engine, a_request("12345"), a_route(FIRST))
    assert events[-2] == UsageReported(Usage(2, 2, estimated=True))
    assert call.usage == Usage(2, 2, estimated=True)


async def test_a_plain_answer_has_a_time_in_all_and_a_stream_has_none(
    engine: Engine, script: Script
) -> None:
    slow = a_deployment(total_timeout_s=60.0)
    script.plays_for(slow, [TextDelta("One"), *(50.0, TextDelta(" more")) * 4, *an_answer()])
    _, events = await read(engine, route=a_route(slow))
    assert isinstance(events[-1], Finish)
    script.plays_for(slow, [100.0, *an_answer()])
    with pytest.raises(UpstreamTimeout):
        await read(engine, a_request(stream=False), a_route(slow))
