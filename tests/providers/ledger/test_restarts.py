"""Postgres goes away under load, in three ways: nothing is lost, doubled, or waited for in vain."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.utils import timezone

from providers.engine.errors import LedgerUnavailable
from providers.engine.ports import Reservation
from providers.ledger import check, recovery
from providers.ledger.pool import connect
from providers.ledger.postgres import PostgresLedger
from tests.forked import IS_TORTURE
from tests.providers.ledger.ledgers import Books, attempt, dollars, intent
from tests.providers.ledger.servers import OwnServer, django_at, own_server

CALLERS, STREAMS = 100, 30
PATIENCE_S, ANSWER_S, LONGEST_S = 0.5, 1.0, 1.5
# Beyond the longest wait: a busy machine.
SLACK_S = 3.0

Refusals = Callable[[], Awaitable[None]]
"""Awaits that callers are refused, and ends what was running meanwhile."""


@pytest.fixture(scope="module")
def server(conninfo: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnServer]:
    with own_server(tmp_path_factory.mktemp("server"), like=conninfo) as server:
        yield server


@pytest.fixture
def budget(server: OwnServer) -> None:
    with psycopg.connect(server.conninfo, autocommit=True) as own:
        own.execute("TRUNCATE providers_entry, providers_reservation, providers_budget CASCADE")
        own.execute("TRUNCATE providers_spendquarter, providers_spendgroup CASCADE")
        Books(own).budget(1_000_000, period="total")


@dataclass
class Crowd:
    """Callers who ask again and again; what each was told, and how long it took."""

    ledger: PostgresLedger
    admitted: set[UUID] = field(default_factory=set)
    settled: dict[UUID, int] = field(default_factory=dict)
    refused: list[tuple[float, str]] = field(default_factory=list)
    is_over: bool = False

    async def call(self, seed: int) -> None:
        pick = random.Random(seed)
        while not self.is_over:
            held = await self.ask(pick.randint(1, 9))
            if held is not None:
                await asyncio.sleep(pick.random() / 20)
                await self.settle(held, pick.randint(0, 1))

    async def ask(self, worst: int) -> Reservation | None:
        asked, began = intent(worst, ttl_s=600), time.monotonic()
        try:
            held = await self.ledger.reserve(asked)
        except LedgerUnavailable as error:
            self.refused.append((time.monotonic() - began, error.message))
            await asyncio.sleep(0.02)
            return None
        self.admitted.add(held.id)
        return held

    async def settle(self, held: Reservation, cost: int) -> None:
        self.settled[held.id] = dollars(cost)
        await self.ledger.settle(held, [attempt(cost)])


@asynccontextmanager
async def load(server: OwnServer) -> AsyncIterator[Crowd]:
    """Callers at work inside the block; all is written when it has been left."""
    ledger = PostgresLedger(
        await connect(server.conninfo),
        patience_s=PATIENCE_S,
        answer_s=ANSWER_S,
        longest_s=LONGEST_S,
    )
    crowd = Crowd(ledger)
    callers = [asyncio.create_task(crowd.call(number)) for number in range(CALLERS)]
    try:
        yield crowd
    finally:
        crowd.is_over = True
        await asyncio.gather(*callers)
        await ledger.aclose(timeout_s=20)
    assert ledger.settling == 0


async def until(what: Callable[[], bool], within_s: float = 30) -> None:
    async with asyncio.timeout(within_s):
        while not what():  # noqa: ASYNC110  what is asked is a count
            await asyncio.sleep(0.01)


async def live_through(server: OwnServer, outage: Callable[[Refusals], Awaitable[None]]) -> Crowd:
    async with load(server) as crowd:
        await until(lambda: len(crowd.settled) > 200)
        streams = [held for _ in range(STREAMS) if (held := await crowd.ask(9)) is not None]
        refused = len(crowd.refused)

        async def are_refused() -> None:
            await until(lambda: len(crowd.refused) > refused)
            # These end while it is away, and are kept in memory.
            await asyncio.gather(*(crowd.settle(held, 7) for held in streams))

        await outage(are_refused)
        back = len(crowd.settled)
        await until(lambda: len(crowd.settled) > back + 200)
    return crowd


async def restarted(server: OwnServer, are_refused: Refusals) -> None:
    server.restart()
    await are_refused()


async def crashed(server: OwnServer, are_refused: Refusals) -> None:
    server.crash()
    await are_refused()


async def frozen(server: OwnServer, are_refused: Refusals) -> None:
    with server.frozen():
        await are_refused()


# A crash has no outcome that the others lack, and takes longest; `make torture` plays it too.
@pytest.mark.parametrize("outage", [restarted, frozen, *([crashed] if IS_TORTURE else [])])
def test_whatever_becomes_of_postgres_nothing_is_lost_or_doubled_or_waited_for_in_vain(
    budget: None,
    server: OwnServer,
    outage: Callable[..., Awaitable[None]],
    django_db_blocker: Any,
) -> None:
    crowd = asyncio.run(live_through(server, partial(outage, server)))
    with (
        django_db_blocker.unblock(),
        django_at(server),
        psycopg.connect(server.conninfo, autocommit=True) as own,
    ):
        books = Books(own)
        known = dict(books.all("SELECT id, settled_at IS NOT NULL FROM providers_reservation"))
        assert crowd.admitted <= set(known), "an admission without a durable intent"
        booked = dict(books.all("SELECT reservation_id, cost_nano FROM providers_entry"))
        assert crowd.settled == {id: booked.get(id) for id in crowd.settled}
        # A silent server may have taken a hold that nobody waited for any more.
        orphans = {id for id, is_settled in known.items() if not is_settled}
        assert not orphans & crowd.admitted
        assert outage is frozen or not orphans
        recovery.expire(timezone.now() + timedelta(hours=1))
        assert check.run().differences == ()
    assert max(took_s for took_s, _ in crowd.refused) < LONGEST_S + SLACK_S
    assert {words for _, words in crowd.refused} <= {
        "The ledger cannot be reached, and nothing is sent without a hold.",
        "The ledger does not answer, and nothing is sent without a hold.",
    }
