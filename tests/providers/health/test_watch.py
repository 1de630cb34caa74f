"""One process judges, at once when it is asked to, and another takes over when it ends."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest

from providers.health.watch import Watch
from tests.journeys.gateway.world import conninfo as of_the_tests


@pytest.fixture
def conninfo(committed_rows: None, django_db_blocker: Any) -> str:
    with django_db_blocker.unblock():
        return of_the_tests()


class Judge:
    """Counts; `faults` of its first judgements fail as a database does."""

    def __init__(self, conninfo: str, every_s: float = 0.02, faults: int = 0) -> None:
        self.count, self.faults = 0, faults
        self.judged = asyncio.Event()
        self.watch = Watch(conninfo, self.judge, lambda: every_s)

    async def judge(self) -> None:
        if self.faults:
            self.faults -= 1
            raise psycopg.OperationalError("away")
        self.count += 1
        self.judged.set()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(10):
            while self.count < count:
                self.judged.clear()
                await self.judged.wait()


async def test_of_two_one_judges_and_the_other_takes_over_when_it_ends(conninfo: str) -> None:
    first, second = Judge(conninfo), Judge(conninfo)
    first.watch.start()
    await first.until(1)
    second.watch.start()
    await first.until(6)
    assert (second.count, first.watch.is_judge, second.watch.is_judge) == (0, True, False)
    await first.watch.stop()
    await second.until(1)
    assert second.watch.is_judge
    await second.watch.stop()


async def test_what_cannot_wait_is_judged_at_once(conninfo: str) -> None:
    judge = Judge(conninfo, every_s=60)
    judge.watch.start()
    await judge.until(1)
    judge.watch.hurry()
    await judge.until(2)
    await judge.watch.stop()


async def test_a_database_that_was_away_is_judged_by_again(conninfo: str) -> None:
    judge = Judge(conninfo, faults=2)
    judge.watch.start()
    await judge.until(1)
    await judge.watch.stop()
