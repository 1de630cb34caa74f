"""A process that dies at any named point of a prompt: every cent is settled, or held by rule.

To die means here: from that point on nothing of the process reaches the database, and what it kept
in memory is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.utils import timezone

from providers.engine.errors import EngineError, LedgerUnavailable, UpstreamUnavailable
from providers.engine.events import Event, TextDelta
from providers.engine.pipeline import Engine
from providers.engine.usage import Price, Usage
from providers.ledger import check, recovery
from providers.ledger.pool import Pool, connect
from providers.ledger.postgres import PostgresLedger
from tests.engine.conftest import an_engine
from tests.fakes import CALLER, Recorder, Script, Step, a_deployment, a_request, a_route, an_answer
from tests.providers.ledger.ledgers import Books, aside

# Ten dollars a token that is written, so that a bound of 3 holds 30 dollars.
DEAR = a_deployment(price=Price(Decimal(0), Decimal(10_000_000), "test"), max_output_tokens=3)
HELD, COST = 30, 20
ANSWER = an_answer("One", " two", usage=Usage(5, 2))


class Cord:
    """Between a ledger and its database; cut, nothing passes any more, also no answer."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.is_cut = False
        self.cut_after: str | None = None

    @asynccontextmanager
    async def connection(self, timeout: float | None = None) -> AsyncIterator[Any]:
        async with self.pool.connection(timeout) as connection:
            yield _Line(self, connection)

    async def close(self) -> None:
        await self.pool.close()

    def check(self) -> None:
        if self.is_cut:
            raise psycopg.OperationalError("the process is dead")


class _Line:
    def __init__(self, cord: Cord, connection: psycopg.AsyncConnection[Any]) -> None:
        self.cord = cord
        self.connection = connection

    async def execute(self, query: str, arguments: Any) -> Any:
        self.cord.check()
        cursor = await self.connection.execute(query, arguments)
        if self.cord.cut_after and self.cord.cut_after in query:
            self.cord.is_cut = True
        self.cord.check()
        return cursor


class Mortal:
    """A process: an engine and its ledger, until `die`."""

    def __init__(self, cord: Cord, *play: Step) -> None:
        self.cord = cord
        self.script = Script()
        self.script.plays_for(DEAR, list(play))
        self.ledger = PostgresLedger(cord, sleep=lambda _: asyncio.sleep(0.001))  # type: ignore[arg-type]
        self.engine: Engine = an_engine(self.script, self.ledger, Recorder())  # type: ignore[arg-type]
        self.heard: list[Event] = []

    async def prompt(self, until: Callable[[Event], bool] = lambda _: False) -> None:
        async with self.engine.open(
            a_request(max_output_tokens=3), CALLER, a_route(DEAR)
        ) as answer:
            async for event in answer.events:
                self.heard.append(event)
                if until(event):
                    self.cord.is_cut = True
                    raise asyncio.CancelledError

    async def die(self) -> None:
        self.cord.is_cut = True
        await self.ledger.aclose(timeout_s=0.01)


@pytest.fixture
async def cord(books: Books, conninfo: str) -> Cord:
    books.own.execute("SELECT ledger_open_windows(ARRAY[%s]::bigint[], now())", [books.budget(100)])
    return Cord(await connect(conninfo))


async def restarted(books: Books) -> tuple[float, float]:
    """Spent and held once everything that was open is past its deadline; the books are right."""
    await aside(recovery.expire, timezone.now() + timedelta(hours=1))
    assert (await aside(check.run)).differences == ()
    return books.counters()


async def test_dead_before_the_intent_nothing_is_sent_and_nothing_is_booked(
    cord: Cord, books: Books
) -> None:
    process = Mortal(cord, *ANSWER)
    cord.is_cut = True
    with pytest.raises(LedgerUnavailable):
        await process.prompt()
    await process.die()
    assert process.script.opened == []
    assert await restarted(books) == (0, 0)
    assert books.costs() == []


async def test_dead_after_the_intent_the_hold_counts_as_sent(cord: Cord, books: Books) -> None:
    process = Mortal(cord, *ANSWER)
    cord.cut_after = "ledger_reserve"
    with pytest.raises(LedgerUnavailable):
        await process.prompt()
    await process.die()
    assert process.script.opened == []
    assert books.counters() == (0, HELD)
    assert await restarted(books) == (HELD, 0)


async def test_dead_before_the_first_byte_the_estimate_is_booked(cord: Cord, books: Books) -> None:
    process = Mortal(cord, asyncio.Event())
    asking = asyncio.create_task(process.prompt())
    await asyncio.wait([asking], timeout=0.2)
    assert process.script.opened
    assert books.counters() == (0, HELD)
    cord.is_cut = True
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await process.die()
    assert books.counters() == (0, HELD)
    assert await restarted(books) == (HELD, 0)
    assert books.all("SELECT status, is_unconfirmed FROM providers_entry") == [("expired", True)]


async def test_dead_in_mid_stream_the_estimate_is_booked(cord: Cord, books: Books) -> None:
    process = Mortal(cord, *ANSWER)
    with pytest.raises(asyncio.CancelledError):
        await process.prompt(until=lambda event: isinstance(event, TextDelta))
    await process.die()
    assert [event for event in process.heard if isinstance(event, TextDelta)]
    assert books.counters() == (0, HELD)
    assert await restarted(books) == (HELD, 0)


async def test_dead_before_the_settlement_the_estimate_is_booked(cord: Cord, books: Books) -> None:
    process = Mortal(cord, *ANSWER)
    async with process.engine.open(a_request(max_output_tokens=3), CALLER, a_route(DEAR)) as answer:
        process.heard += [event async for event in answer.events]
        cord.is_cut = True
    await process.die()
    assert books.counters() == (0, HELD)
    assert await restarted(books) == (HELD, 0)


async def test_dead_while_the_settlement_is_answered_it_is_booked_once(
    cord: Cord, books: Books
) -> None:
    process = Mortal(cord, *ANSWER)
    cord.cut_after = "ledger_settle"
    await process.prompt()
    await process.die()
    assert await restarted(books) == (COST, 0)
    assert books.costs() == [COST]


async def test_dead_after_the_settlement_the_real_cost_stands(cord: Cord, books: Books) -> None:
    process = Mortal(cord, *ANSWER)
    await process.prompt()
    await process.die()
    assert books.counters() == (COST, 0)
    assert await restarted(books) == (COST, 0)


async def test_alive_a_prompt_that_was_surely_not_sent_is_released_without_a_row(
    cord: Cord, books: Books
) -> None:
    down = UpstreamUnavailable("down.", status=503)
    process = Mortal(cord, down)
    for _ in range(process.engine.breaker_limits.threshold):
        with pytest.raises(EngineError):
            await process.prompt()
    tried, opened = len(books.costs()), len(process.script.opened)
    with pytest.raises(EngineError):
        await process.prompt()
    await process.ledger.aclose()
    assert len(process.script.opened) == opened
    assert (len(books.costs()), books.counters(), books.open()) == (tried, (0, 0), set())
