"""Runs whose process is gone."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from conversations.models import Conversation, Generation, Run, RunEvent, RunState
from conversations.runs import book, reaper
from conversations.runs.events import Kind
from conversations.threads import in_thread
from tests.conversations.conftest import everything
from tests.conversations.script import Script


def orphan(thread: Conversation, *, process: int = 77) -> Run:
    """Leave behind what `kill -9` does: rows and a log, and nobody at work."""
    order = book.begin(thread, book.Question("Hi"), process)
    lines = [
        (Kind.STATUS, {"phase": "waiting"}),
        (Kind.START, {"answering": "demo/words", "is_fallback": True}),
        (Kind.TEXT, {"text": "half an "}),
        (Kind.TEXT, {"text": "answer"}),
    ]
    RunEvent.objects.bulk_create(
        RunEvent(run_id=order.run_id, seq=n, kind=kind, data=data)
        for n, (kind, data) in enumerate(lines, 1)
    )
    return Run.objects.get(pk=order.run_id)


def test_a_run_without_its_process_is_interrupted_with_its_partial_text(
    thread: Conversation,
) -> None:
    run = orphan(thread)
    assert reaper.reap(timezone.now()) == 1
    run.refresh_from_db()
    answer = Generation.objects.select_related("message").get(run=run)
    assert run.state == RunState.INTERRUPTED
    assert answer.message.text == "half an answer"
    assert "<p>half an answer</p>" in answer.message.html
    assert (answer.answered_by, answer.is_fallback) == ("demo/words", True)
    assert answer.error["code"] == "interrupted"
    assert RunEvent.objects.filter(run=run).order_by("seq").last().kind == Kind.ERROR


def test_reaping_twice_changes_nothing(thread: Conversation) -> None:
    orphan(thread)
    reaper.reap(timezone.now())
    assert reaper.reap(timezone.now()) == 0


async def test_a_run_of_a_living_process_is_left_alone(
    open_desk: object, script: Script, thread: Conversation
) -> None:
    desk = await open_desk(script)
    await desk.start(thread, "Hi")
    assert await in_thread(reaper.reap, timezone.now()) == 0


async def test_a_living_process_that_is_silent_too_long_counts_as_gone(
    open_desk: object, script: Script, thread: Conversation
) -> None:
    desk = await open_desk(script)
    run_id = await desk.start(thread, "Hi")
    later = timezone.now() + timedelta(seconds=31)
    assert await in_thread(reaper.reap, later) == 1
    async with asyncio.timeout(3):
        assert (await everything(desk, run_id))[-1].data["code"] == "interrupted"
    await script.closed.wait()


async def test_a_restarted_process_ends_the_runs_of_the_one_before(
    open_desk: object, thread: Conversation
) -> None:
    run = await in_thread(orphan, thread)
    desk = await open_desk(Script())
    events = [event async for event in desk.tail(run.id, None)]
    assert events[0].data["text"] == "half an answer"
    assert events[-1].data["code"] == "interrupted"


async def test_the_log_is_swept_and_a_late_tail_still_ends(
    open_desk: object, script: Script, thread: Conversation
) -> None:
    desk = await open_desk(script)
    script.say("all of it")
    run_id = await desk.start(thread, "Hi")
    await everything(desk, run_id)
    assert await in_thread(reaper.sweep, timezone.now()) == 0
    assert await in_thread(reaper.sweep, timezone.now() + timedelta(minutes=11)) > 0
    async with asyncio.timeout(2):
        assert [event.kind for event in await everything(desk, run_id, 3)] == [Kind.FINISH]


_KEEPERS = """
    SELECT pid FROM pg_stat_activity
    WHERE application_name = 'gaiweb-keeper' AND datname = current_database()
"""


def keepers(statement: str = _KEEPERS) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return {row[0] for row in cursor.fetchall()}


async def test_a_process_that_lost_its_connection_takes_its_lock_again(
    open_desk: object, script: Script
) -> None:
    desk = await open_desk(script)
    before = await in_thread(keepers)
    await in_thread(keepers, f"SELECT pg_terminate_backend(pid) FROM ({_KEEPERS}) AS all_of_them")
    for _ in range(60):
        await asyncio.sleep(0.2)
        after = await in_thread(keepers)
        if after and not after & before:
            break
    assert await in_thread(reaper.is_alive, desk.process)
    assert not after & before
