"""Changed tables are heard of, also after the connection was lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from providers.state.changes import Changes
from tests.journeys.gateway.world import conninfo as of_the_tests

ROUTES, KEYS = frozenset({"providers_route"}), frozenset({"providers_virtualkey"})


class Readers:
    def __init__(self) -> None:
        self.read: Counter[str] = Counter()
        self.happened = asyncio.Event()

    def of(self, name: str) -> Any:
        async def reread() -> None:
            self.read[name] += 1
            self.happened.set()

        return reread

    async def until(self, name: str, count: int) -> None:
        async with asyncio.timeout(10):
            while self.read[name] < count:
                self.happened.clear()
                await self.happened.wait()


@pytest.fixture
def conninfo(committed_rows: None, django_db_blocker: Any) -> str:
    with django_db_blocker.unblock():
        return of_the_tests()


@pytest.fixture
async def readers(conninfo: str) -> AsyncIterator[Readers]:
    found = Readers()
    changes = Changes(
        conninfo, {ROUTES: found.of("routes"), KEYS: found.of("keys")}, reconnect_s=0.01
    )
    await changes.start()
    await found.until("keys", 1)
    yield found
    await changes.stop()


async def execute(conninfo: str, statement: str) -> None:
    async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
        await connection.execute(statement)


async def test_only_what_depends_on_the_table_is_read_again(
    readers: Readers, conninfo: str
) -> None:
    await execute(conninfo, "UPDATE providers_route SET name = name")
    await readers.until("routes", 2)
    assert readers.read["keys"] == 1


async def test_what_changes_all_the_time_stays_quiet(readers: Readers, conninfo: str) -> None:
    await execute(conninfo, "UPDATE providers_virtualkey SET last_used_at = now()")
    await execute(conninfo, "UPDATE providers_virtualkey SET revoked_at = now() WHERE false")
    await readers.until("keys", 2)
    assert readers.read["keys"] == 2


async def test_after_a_gap_everything_is_read_again(readers: Readers, conninfo: str) -> None:
    await execute(
        conninfo,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE query LIKE 'LISTEN%' AND datname = current_database()",
    )
    await readers.until("routes", 2)
    await readers.until("keys", 2)
