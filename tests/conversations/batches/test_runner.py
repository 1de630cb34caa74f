"""A runner over a scripted provider: so many at once, again where it may help, paused where not."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from conversations.batches import book
from conversations.batches.runner import Runner
from conversations.models import BatchItem, BatchJob, BatchState, ItemState
from conversations.threads import in_thread
from providers.engine.errors import (
    BudgetExceeded,
    ContentBlocked,
    EngineError,
    RateLimited,
    ServiceDegraded,
    StreamCut,
    UnknownModel,
    UpstreamUnavailable,
)
from tests.conversations.batches.conftest import Make, Oracle


class Clock:
    """Moved by hand, for leases and waits."""

    def __init__(self) -> None:
        self.at = timezone.now() + timedelta(seconds=1)

    def utcnow(self) -> datetime:
        return self.at

    def move(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def runner(oracle: Oracle, clock: Clock, parallel: int = 2) -> Runner:
    return Runner(oracle.open_answer, lambda: parallel, utcnow=clock.utcnow)


async def rows_of(batch: BatchJob) -> list[BatchItem]:
    return await in_thread(lambda: list(batch.items.order_by("number")))


async def state_of(batch: BatchJob) -> tuple[str, str]:
    await in_thread(batch.refresh_from_db)
    return batch.state, batch.reason


async def test_every_prompt_is_answered_with_its_figures_and_so_many_at_once(
    batch_of: Make, oracle: Oracle, clock: Clock
) -> None:
    batch = await in_thread(batch_of, *"abcdefg")
    assert await runner(oracle, clock, parallel=3).run() is False
    rows = await rows_of(batch)
    assert [row.text for row in rows] == [f"echo of {prompt}" for prompt in "abcdefg"]
    assert {(row.cost_nano, row.input_tokens, row.output_tokens) for row in rows} == {
        (1500, 10, 20)
    }
    assert {(row.answered_by, row.finish_reason) for row in rows} == {("demo/words", "stop")}
    assert oracle.most_open == 3
    assert await state_of(batch) == (BatchState.DONE, "")


async def test_a_spent_budget_pauses_and_nothing_is_lost(
    batch_of: Make, oracle: Oracle, clock: Clock
) -> None:
    batch = await in_thread(batch_of, "a", "b", "c")
    oracle.plans["b"] = [BudgetExceeded("The monthly budget is used up.", budget="org")]
    await runner(oracle, clock, parallel=1).run()
    assert await state_of(batch) == (BatchState.PAUSED, "The monthly budget is used up.")
    assert [row.state for row in await rows_of(batch)] == ["done", "waiting", "waiting"]
    await in_thread(book.start, batch, clock.at)
    await runner(oracle, clock, parallel=1).run()
    assert [row.text for row in await rows_of(batch)] == ["echo of a", "echo of b", "echo of c"]
    assert oracle.prompts == ["a", "b", "b", "c"]
    assert (await state_of(batch))[0] == BatchState.DONE


@pytest.mark.parametrize("refusal", [UnknownModel("There is no model 'demo' here.")])
async def test_what_every_row_would_meet_pauses_too(
    batch_of: Make, oracle: Oracle, clock: Clock, refusal: EngineError
) -> None:
    batch = await in_thread(batch_of, "a")
    oracle.plans["a"] = [refusal]
    await runner(oracle, clock).run()
    assert await state_of(batch) == (BatchState.PAUSED, refusal.message)


async def test_what_a_prompt_itself_meets_fails_it_alone(
    batch_of: Make, oracle: Oracle, clock: Clock
) -> None:
    batch = await in_thread(batch_of, "a", "b")
    oracle.plans["a"] = [ContentBlocked("It holds an e-mail address.")]
    oracle.plans["b"] = [ValueError("canary")]
    await runner(oracle, clock).run()
    errors = [row.error for row in await rows_of(batch)]
    assert errors == [
        {"code": "content_blocked", "message": "It holds an e-mail address."},
        {"code": "internal_error", "message": "Something went wrong on our side."},
    ]
    assert (await state_of(batch))[0] == BatchState.DONE


@pytest.mark.parametrize(
    "passing",
    [
        RateLimited("This person is at the limit.", retry_after_s=20),
        ServiceDegraded("Later.", retry_after_s=20),
    ],
)
async def test_a_limit_or_a_reduced_mode_is_waited_for_and_is_no_fault(
    batch_of: Make, oracle: Oracle, clock: Clock, passing: EngineError
) -> None:
    batch = await in_thread(batch_of, "a")
    oracle.plans["a"] = [passing] * 7
    for _ in range(7):
        assert await runner(oracle, clock).run() is False
        clock.move(19)
        await runner(oracle, clock).run()
        clock.move(1)
    assert len(oracle.requests) == 7
    await runner(oracle, clock).run()
    (row,) = await rows_of(batch)
    assert (row.state, row.text, row.faults) == (ItemState.DONE, "echo of a", 0)
    assert len({request.id for request in oracle.requests}) == 8


async def test_a_provider_that_fails_is_asked_again_later_and_later_and_then_no_more(
    batch_of: Make, oracle: Oracle, clock: Clock
) -> None:
    batch = await in_thread(batch_of, "a", "b")
    down: list[Any] = [UpstreamUnavailable("down."), StreamCut("cut.")]
    oracle.plans = {"a": list(down), "b": down * 5}
    asked = []
    for _ in range(6):
        await runner(oracle, clock).run()
        asked.append(len(oracle.requests))
        clock.move(100)
    first, second = await rows_of(batch)
    assert (first.text, first.faults) == ("echo of a", 2)
    assert (second.state, second.error["message"]) == (ItemState.FAILED, "down.")
    assert asked == [2, 4, 6, 7, 8, 8]
    assert (await state_of(batch))[0] == BatchState.DONE


async def test_an_answer_in_pieces_is_stored_only_whole(
    batch_of: Make, oracle: Oracle, clock: Clock
) -> None:
    batch = await in_thread(batch_of, "a")
    oracle.gate.clear()
    working = runner(oracle, clock)
    running = asyncio.create_task(working.run())
    await oracle.was_asked.wait()
    working.stop(0.0)
    assert await running is True
    (row,) = await rows_of(batch)
    assert (row.state, row.text, row.faults) == (ItemState.WAITING, "", 0)
    assert row.error["code"] == "server_stopping"
    oracle.gate.set()
    await runner(oracle, clock).run()
    (row,) = await rows_of(batch)
    assert (row.text, row.tries, row.error) == ("echo of a", 2, None)


async def test_what_a_killed_worker_was_asking_is_asked_once_more_after_its_lease(
    batch_of: Make, oracle: Oracle, clock: Clock
) -> None:
    batch = await in_thread(batch_of, "a", "b", "c")
    # A worker took two of them, stored one answer, and was killed.
    first, _ = await in_thread(book.take, 2, clock.at)
    await in_thread(book.keep, first, book.Outcome(text="stored", cost_nano=5), clock.at)
    await runner(oracle, clock).run()
    assert oracle.prompts == ["c"]
    clock.move(61)
    await runner(oracle, clock).run()
    assert oracle.prompts == ["c", "b"]
    assert [row.text for row in await rows_of(batch)] == ["stored", "echo of b", "echo of c"]
    assert (await state_of(batch))[0] == BatchState.DONE


async def test_a_slice_ends_while_there_is_more_and_another_goes_on(
    batch_of: Make, oracle: Oracle, clock: Clock
) -> None:
    batch = await in_thread(batch_of, "a", "b", "c")
    times = iter([0.0, 0.0, 0.0, 1.0, *[21.0] * 20])
    working = Runner(oracle.open_answer, lambda: 1, now=lambda: next(times), utcnow=clock.utcnow)
    assert await working.run() is True
    assert 0 < len(oracle.requests) < 3
    assert await runner(oracle, clock).run() is False
    assert [row.state for row in await rows_of(batch)] == ["done"] * 3


def test_workers_that_take_at_once_share_and_do_not_wait(batch_of: Make) -> None:
    batch_of("red", "green", "blue")
    now = timezone.now() + timedelta(seconds=1)
    together, found = Barrier(2), []

    def take() -> None:
        with transaction.atomic():
            found.append(book.take(2, now))
            together.wait(5)
        connection.close()

    workers = [Thread(target=take) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    ids = [taken.item_id for each in found for taken in each]
    assert len(ids) == len(set(ids)) == 3
