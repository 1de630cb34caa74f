"""What may go wrong between a hold and its settlement."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.utils import timezone

from providers.engine.errors import BudgetExceeded, LedgerUnavailable
from providers.engine.ports import Reservation
from providers.ledger import check, recovery
from providers.ledger.group_commit import GroupCommit
from providers.ledger.pool import Pool, connect
from providers.ledger.postgres import PostgresLedger
from tests.providers.ledger.ledgers import Books, aside, attempt, intent


class Wall:
    """Stands between a pool and the database; while it is up, nothing reaches Postgres."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.is_up = False

    @asynccontextmanager
    async def connection(self, timeout: float | None = None) -> AsyncIterator[Any]:
        if self.is_up:
            raise psycopg.OperationalError("the server closed the connection unexpectedly")
        async with self.pool.connection(timeout) as connection:
            yield connection

    async def close(self) -> None:
        await self.pool.close()


@pytest.fixture
async def wall(books: Books, conninfo: str) -> Wall:
    return Wall(await connect(conninfo))


async def test_a_caller_who_leaves_while_the_batch_is_in_flight_leaks_no_hold(
    ledger: PostgresLedger, books: Books
) -> None:
    books.budget(100)
    with books.own.transaction():
        books.own.execute("LOCK TABLE providers_budgetwindow")
        staying = asyncio.create_task(ledger.reserve(intent(1)))
        leaving = asyncio.create_task(ledger.reserve(intent(2)))
        await asyncio.sleep(0.05)
        leaving.cancel()
        await asyncio.sleep(0)
    held = await staying
    with pytest.raises(asyncio.CancelledError):
        await leaving
    await ledger.settle(held, [])
    await ledger.aclose()
    assert books.counters() == (0, 0)
    assert books.open() == set()


async def test_a_caller_cancelled_at_any_turn_of_the_loop_leaks_no_hold(
    ledger: PostgresLedger, books: Books
) -> None:
    books.budget(100)
    for turns in range(40):
        leaving = asyncio.create_task(ledger.reserve(intent(1)))
        for _ in range(turns):
            await asyncio.sleep(0)
        leaving.cancel()
        for held in await asyncio.gather(leaving, return_exceptions=True):
            if not isinstance(held, BaseException):
                await ledger.settle(held, [])
    await ledger.aclose()
    assert books.counters() == (0, 0)
    assert books.open() == set()


async def test_a_caller_cancelled_at_any_turn_while_it_settles_is_booked_all_the_same(
    ledger: PostgresLedger, books: Books
) -> None:
    books.budget(1000)
    admitted: list[Reservation] = []

    async def call() -> None:
        admitted.append(await ledger.reserve(intent(5)))
        await ledger.settle(admitted[-1], [attempt(3)])

    for turns in range(40):
        leaving = asyncio.create_task(call())
        for _ in range(turns):
            await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.wait([leaving])
    held = await ledger.reserve(intent(5))
    settling = asyncio.create_task(ledger.settle(held, [attempt(3)]))
    await asyncio.sleep(0)
    settling.cancel()
    await ledger.aclose()
    assert books.counters() == (3 * (len(admitted) + 1), 0)
    assert books.open() == set()


async def test_without_a_database_nothing_is_admitted_and_settlements_survive(
    wall: Wall, books: Books
) -> None:
    books.budget(100)
    ledger = PostgresLedger(wall, sleep=lambda _: asyncio.sleep(0))
    held = await ledger.reserve(intent(5))
    wall.is_up = True
    with pytest.raises(LedgerUnavailable):
        await ledger.reserve(intent(1))
    await ledger.settle(held, [attempt(3)])
    assert ledger.settling >= 1
    assert books.counters() == (0, 5)
    wall.is_up = False
    await ledger.aclose()
    assert ledger.settling == 0
    assert books.counters() == (3, 0)


async def test_connections_that_postgres_cut_are_replaced(
    ledger: PostgresLedger, books: Books
) -> None:
    await ledger.reserve(intent(1))
    books.own.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'gaiweb ledger' AND datname = current_database()"
    )
    failures = 0
    for _ in range(50):
        try:
            await ledger.reserve(intent(1))
            break
        except LedgerUnavailable:
            failures += 1
            await asyncio.sleep(0.02)
    else:
        pytest.fail("the pool never came back")
    assert failures <= 4


async def test_closing_does_not_wait_for_ever_for_a_dead_database(wall: Wall, books: Books) -> None:
    ledger = PostgresLedger(wall)
    held = await ledger.reserve(intent(5))
    wall.is_up = True
    await ledger.settle(held, [attempt(3)])
    await ledger.aclose(timeout_s=0.05)
    assert books.open() == {held.id}


async def test_an_expired_hold_is_booked_at_its_worst_case_unconfirmed(
    ledger: PostgresLedger, books: Books
) -> None:
    books.budget(100)
    await ledger.reserve(intent(5, ttl_s=60))
    assert await recover(at_s=59) == 0
    assert await recover(at_s=61) == 1
    assert await recover(at_s=61) == 0
    assert books.counters() == (5, 0)
    assert books.all("SELECT status, is_unconfirmed, attempt FROM providers_entry") == [
        ("expired", True, 0)
    ]


async def test_settled_after_expiry_books_nothing_twice(
    ledger: PostgresLedger, books: Books
) -> None:
    books.budget(100)
    held = await ledger.reserve(intent(5, ttl_s=0))
    await recover(at_s=1)
    await ledger.settle(held, [attempt(3)])
    assert books.counters() == (5, 0)
    assert books.costs() == [5]


async def test_expiry_and_settlement_in_a_race_close_each_hold_once(
    ledger: PostgresLedger, books: Books
) -> None:
    books.budget(1000)
    holds = [await ledger.reserve(intent(5, ttl_s=0)) for _ in range(40)]
    expiring = asyncio.create_task(recover(at_s=1))
    await asyncio.gather(*(ledger.settle(held, [attempt(3)]) for held in holds))
    await expiring
    await recover(at_s=1)
    costs = books.costs()
    assert len(costs) == 40
    assert books.counters() == (sum(cost or 0 for cost in costs), 0)
    assert await audit() == ()


async def test_the_check_finds_a_counter_that_lies_and_a_hold_that_nobody_ends(
    ledger: PostgresLedger, books: Books
) -> None:
    books.budget(100)
    await ledger.settle(await ledger.reserve(intent(5)), [attempt(3)])
    await ledger.reserve(intent(4, ttl_s=-3600))
    books.own.execute("UPDATE providers_budgetwindow SET spent_nano = spent_nano - 1000000000")
    lie, overdue = await audit()
    assert "spent is $2.00, its rows say $3.00" in lie
    assert "1 holds have outlived their deadline" in overdue


async def test_a_refused_request_leaves_no_row(ledger: PostgresLedger, books: Books) -> None:
    books.budget(1)
    with pytest.raises(BudgetExceeded):
        await ledger.reserve(intent(2))
    assert books.one("SELECT count(*) FROM providers_reservation") == 0


async def recover(*, at_s: float) -> int:
    return await aside(recovery.expire, timezone.now() + timedelta(seconds=at_s))


async def audit() -> tuple[str, ...]:
    return (await aside(check.run)).differences


async def test_the_queue_is_bounded(books: Books) -> None:
    answered = asyncio.Event()

    async def answer(items: Sequence[int]) -> Sequence[int]:
        await answered.wait()
        return items

    batches = GroupCommit[int, int](answer, on_abandoned=lambda _: None, most=1, room=2)
    waiting = [asyncio.create_task(batches.join(number)) for number in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(LedgerUnavailable, match="Too many requests wait"):
        await waiting[2]
    answered.set()
    assert await asyncio.gather(*waiting[:2]) == [0, 1]
