"""A run belongs to the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from django.utils import timezone

from conversations.models import Conversation, Generation, Message, Run, RunState
from conversations.runs import RunRefused, book
from conversations.runs.desk import Desk
from conversations.runs.events import Kind, LogEvent
from conversations.threads import in_thread
from providers.engine.call import Caller, Source
from providers.engine.errors import BudgetExceeded, StreamCut, UpstreamTimeout
from providers.engine.events import (
    Finish,
    FinishReason,
    Notice,
    NoticeKind,
    ReasoningDelta,
    Safety,
    Start,
    TextDelta,
)
from providers.engine.request import CompletionRequest, Role
from providers.models import Entry
from tests.conversations.conftest import everything, reread
from tests.conversations.script import Script


def text_of(events: list[LogEvent]) -> str:
    return "".join(
        event.data["text"] for event in events if event.kind in (Kind.TEXT, Kind.SNAPSHOT)
    )


async def answer_of(run_id: object) -> Generation:
    return await in_thread(lambda: Generation.objects.select_related("message").get(run_id=run_id))


async def test_question_and_empty_answer_are_written_before_the_provider_is_asked(
    desk: Desk, thread: Conversation
) -> None:
    run_id = await desk.start(thread, "What is a monad?")
    roles = await in_thread(
        lambda: list(Message.objects.order_by("id").values_list("role", "text"))
    )
    assert roles == [("user", "What is a monad?"), ("assistant", "")]
    assert (await reread(run_id)).state == RunState.RUNNING


async def test_the_request_carries_prompt_parameters_and_who_pays(
    desk: Desk, script: Script, thread: Conversation
) -> None:
    script.say("Hello there")
    await everything(desk, await desk.start(thread, "Hi"))
    request, caller = script.requests[0], script.callers[0]
    assert [(m.role, m.text) for m in request.messages] == [
        (Role.SYSTEM, "Be brief."),
        (Role.USER, "Hi"),
    ]
    assert (request.route, request.temperature, request.max_output_tokens) == ("demo", 0.5, 300)
    assert (caller.source, caller.user_id, caller.team_id) == (
        Source.PLAYGROUND,
        thread.user_id,
        thread.team_id,
    )


async def test_an_answer_is_kept_with_its_figures_and_its_html(
    desk: Desk, script: Script, thread: Conversation
) -> None:
    script.play(Start("demo/words", 1), ReasoningDelta("hm"), TextDelta("*so*"))
    script.play(Finish(FinishReason.STOP))
    run_id = await desk.start(thread, "Hi")
    events = await everything(desk, run_id)
    answer = await answer_of(run_id)
    assert (answer.message.text, answer.reasoning) == ("*so*", "hm")
    assert "<em>so</em>" in answer.message.html
    assert (answer.answered_by, answer.cost_nano) == ("demo/words", 1500)
    assert (answer.input_tokens, answer.output_tokens) == (10, 20)
    assert events[-1].kind is Kind.FINISH
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert (await reread(run_id)).state == RunState.DONE


async def test_a_seal_without_words_is_no_thought_on_the_page(
    desk: Desk, script: Script, thread: Conversation
) -> None:
    script.play(Start("demo/words", 1), TextDelta("so"), ReasoningDelta(""))
    script.play(Finish(FinishReason.STOP))
    events = await everything(desk, await desk.start(thread, "Hi"))
    assert Kind.REASONING not in {event.kind for event in events}


async def test_a_tail_resumed_anywhere_gives_the_same_text(
    desk: Desk, script: Script, thread: Conversation
) -> None:
    run_id = await desk.start(thread, "Hi")
    script.play(Start("demo/words", 1))
    for n in range(5):
        script.play(TextDelta(f"{n} "))
        await asyncio.sleep(0.07)
    script.play(Finish(FinishReason.STOP))
    whole = await everything(desk, run_id)
    assert text_of(whole) == "0 1 2 3 4 "
    for place in range(len(whole)):
        rest = await everything(desk, run_id, whole[place].seq)
        assert text_of(whole[: place + 1]) + text_of(rest) == "0 1 2 3 4 "


async def test_who_attaches_late_gets_one_snapshot_and_then_what_follows(
    desk: Desk, script: Script, thread: Conversation
) -> None:
    run_id = await desk.start(thread, "Hi")
    script.play(Start("demo/words", 1), TextDelta("one "))
    async with asyncio.timeout(5):
        tail = desk.tail(run_id, 0)
        while (await anext(tail)).kind is not Kind.TEXT:
            pass
        await tail.aclose()
    late = desk.tail(run_id, None)
    first = await anext(late)
    assert (first.kind, first.data["text"], first.data["phase"]) == (
        Kind.SNAPSHOT,
        "one ",
        "streaming",
    )
    script.play(TextDelta("two"), Finish(FinishReason.STOP))
    rest = [event async for event in late]
    assert text_of([first, *rest]) == "one two"
    assert rest[0].seq == first.seq + 1


async def test_another_process_can_tail_and_stop_a_run(
    open_desk: object, script: Script, thread: Conversation
) -> None:
    driving, other = await open_desk(script), await open_desk(Script())
    run_id = await driving.start(thread, "Hi")
    script.play(Start("demo/words", 1), TextDelta("half"))
    tail = other.tail(run_id, 0)
    seen = []
    async with asyncio.timeout(5):
        async for event in tail:
            seen.append(event)
            if event.kind is Kind.TEXT:
                await other.stop(await reread(run_id))
    assert text_of(seen) == "half"
    assert [e.data.get("phase") for e in seen if e.kind is Kind.STATUS] == ["waiting", "stopping"]
    assert seen[-1].data == {"reason": "stopped"}


async def test_stop_closes_the_upstream_and_keeps_text_and_cost(
    desk: Desk, script: Script, thread: Conversation
) -> None:
    run_id = await desk.start(thread, "Hi")
    script.play(Start("demo/words", 1), TextDelta("partial"))
    tail = desk.tail(run_id, 0)
    async with asyncio.timeout(5):
        while (await anext(tail)).kind is not Kind.TEXT:
            pass
    async with asyncio.timeout(1):
        await desk.stop(await reread(run_id))
        await script.closed.wait()
        rest = [event async for event in tail]
    assert rest[-1].data == {"reason": "stopped"}
    answer = await answer_of(run_id)
    assert (answer.message.text, answer.cost_nano) == ("partial", 1500)
    assert (await reread(run_id)).state == RunState.STOPPED


async def test_a_run_goes_on_when_nobody_watches(
    desk: Desk, script: Script, thread: Conversation
) -> None:
    run_id = await desk.start(thread, "Hi")
    tail = desk.tail(run_id, None)
    await anext(tail)
    await tail.aclose()
    script.say("still here")
    assert text_of(await everything(desk, run_id)) == "stillhere"


async def test_a_cut_stream_is_a_failure_with_the_partial_text(
    desk: Desk, script: Script, thread: Conversation
) -> None:
    script.play(Start("demo/words", 1), TextDelta("par"), StreamCut("The provider hung up."))
    run_id = await desk.start(thread, "Hi")
    events = await everything(desk, run_id)
    assert events[-1].kind is Kind.ERROR
    assert events[-1].data["code"] == "stream_cut"
    answer = await answer_of(run_id)
    assert (answer.message.text, answer.error["charged"]) == ("par", "maybe")
    assert (await reread(run_id)).state == RunState.FAILED


async def test_a_refused_run_says_that_nothing_was_charged(
    desk: Desk, script: Script, thread: Conversation
) -> None:
    refusal = BudgetExceeded("The team's budget is used up.", budget="Search")

    def refuse(request: object, caller: object) -> object:
        raise refusal

    script.open_answer = refuse
    desk._open_answer = refuse
    run_id = await desk.start(thread, "Hi")
    await everything(desk, run_id)
    answer = await answer_of(run_id)
    assert (answer.error["code"], answer.error["charged"]) == ("budget_exceeded", "no")
    assert answer.cost_nano is None


async def test_a_bug_shows_nothing_of_its_inside(
    desk: Desk, script: Script, thread: Conversation
) -> None:
    script.play(ValueError("secret detail"))
    events = await everything(desk, await desk.start(thread, "Hi"))
    assert events[-1].data["code"] == "internal_error"
    assert "secret" not in str(events[-1].data)


async def test_characters_that_postgres_cannot_hold_do_not_end_a_run(
    desk: Desk, script: Script, thread: Conversation
) -> None:
    script.play(TextDelta("a\x00b"), TextDelta("\ud83d"), Finish(FinishReason.STOP))
    run_id = await desk.start(thread, "Hi")
    assert text_of(await everything(desk, run_id)) == "a\ufffdb?"
    assert (await reread(run_id)).state == RunState.DONE


async def test_who_follows_hears_of_an_end_that_could_not_be_written(
    desk: Desk, script: Script, thread: Conversation
) -> None:
    run_id = await desk.start(thread, "Hi")
    tail = desk.tail(run_id, 0)
    await anext(tail)
    await in_thread(Run.objects.all().delete)
    script.say("too late")
    async with asyncio.timeout(5):
        rest = [event async for event in tail]
    assert rest[-1].kind is Kind.ERROR


async def test_notices_are_kept_with_the_answer(
    desk: Desk, script: Script, thread: Conversation
) -> None:
    script.play(Notice(NoticeKind.FALLBACK, "Answered by b: a is down."))
    script.say("ok")
    run_id = await desk.start(thread, "Hi")
    await everything(desk, run_id)
    assert (await answer_of(run_id)).notices == [
        {"kind": "fallback", "message": "Answered by b: a is down."}
    ]


async def test_what_filters_did_is_said_in_words(
    desk: Desk, script: Script, thread: Conversation
) -> None:
    script.play(Safety("email", "An e-mail address in the prompt was replaced."))
    script.say("ok")
    run_id = await desk.start(thread, "Hi")
    await everything(desk, run_id)
    assert (await answer_of(run_id)).notices == [
        {"kind": "safety", "message": "An e-mail address in the prompt was replaced."}
    ]


async def test_one_answer_at_a_time_in_a_thread(
    desk: Desk, script: Script, thread: Conversation
) -> None:
    await desk.start(thread, "Hi")
    with pytest.raises(RunRefused):
        await desk.start(thread, "Again")


async def test_retry_answers_the_same_question_beside_the_first_answer(
    desk: Desk, script: Script, thread: Conversation
) -> None:
    script.play(StreamCut("The provider hung up."))
    first = await desk.start(thread, "Hi")
    await everything(desk, first)
    script.say("ok")
    failed = await answer_of(first)
    second = await desk.retry(thread, failed.message_id)
    await everything(desk, second)
    again = await answer_of(second)
    assert again.message.parent_id == failed.message.parent_id
    assert [m.text for m in script.requests[1].messages] == ["Be brief.", "Hi"]


async def test_a_drain_keeps_what_came_and_says_interrupted(
    open_desk: object, script: Script, thread: Conversation
) -> None:
    desk = await open_desk(script)
    run_id = await desk.start(thread, "Hi")
    script.play(Start("demo/words", 1), TextDelta("half"))
    tail = desk.tail(run_id, 0)
    while (await anext(tail)).kind is not Kind.TEXT:
        pass
    await desk.aclose(0)
    answer = await answer_of(run_id)
    assert (answer.message.text, answer.cost_nano) == ("half", 1500)
    assert answer.error["code"] == "interrupted"
    assert (await reread(run_id)).state == RunState.INTERRUPTED


async def test_a_drain_lets_a_run_end_in_its_time(
    open_desk: object, script: Script, thread: Conversation
) -> None:
    desk = await open_desk(script)
    run_id = await desk.start(thread, "Hi")
    script.say("all of it")
    await desk.aclose(5)
    assert (await reread(run_id)).state == RunState.DONE
    assert await in_thread(Run.objects.count) == 1


def booked(request_id: object, cost_nano: int | None, *, attempt: int = 1) -> Entry:
    return Entry.objects.create(
        reservation_id=request_id,
        attempt=attempt,
        source="playground",
        route="demo",
        provider="demo",
        model="words",
        status="failed",
        is_unconfirmed=True,
        cost_nano=cost_nano,
    )


async def test_an_answer_that_never_opened_shows_what_was_booked_for_its_attempts(
    desk: Desk, thread: Conversation
) -> None:
    @asynccontextmanager
    async def fail(request: CompletionRequest, caller: Caller) -> AsyncIterator[None]:
        await in_thread(booked, request.id, 70)
        await in_thread(booked, request.id, 30, attempt=2)
        raise UpstreamTimeout("No answer in time.")
        yield

    desk._open_answer = fail
    run_id = await desk.start(thread, "Hi")
    await everything(desk, run_id)
    answer = await answer_of(run_id)
    assert (answer.cost_nano, answer.is_estimated) == (100, True)


def test_what_expired_for_an_interrupted_answer_is_filled_in_later(thread: Conversation) -> None:
    order = book.begin(thread, book.Question("Hi"), 1)
    book.interrupt(order.run_id)
    yesterday = timezone.now() - timedelta(days=1)
    assert book.price_interrupted(yesterday) == 0
    booked(order.request.id, 500, attempt=0)
    assert book.price_interrupted(yesterday) == 1
    assert Generation.objects.get(run_id=order.run_id).cost_nano == 500
