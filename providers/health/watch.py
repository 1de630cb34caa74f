"""The one process that judges: whoever holds the advisory lock, until it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from django.db import Error as OrmError
from psycopg import AsyncConnection, Error
from structlog import get_logger

from providers.state.ended import ended

log = get_logger(__name__)

LOCK = 0x67616968656174  # "gai_heat"


@dataclass(slots=True)
class Watch:
    """`judge` every `every_s`, and at once after `hurry`; others wait for the lock meanwhile."""

    conninfo: str
    judge: Callable[[], Awaitable[None]]
    every_s: Callable[[], float]
    is_judge: bool = False
    _soon: asyncio.Event = field(default_factory=asyncio.Event)
    _task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; twice is harmless."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep_watching(), name="health")

    async def stop(self) -> None:
        if self._task is not None:
            await ended(self._task)
            self._task = None

    def hurry(self) -> None:
        self._soon.set()

    async def _keep_watching(self) -> None:
        while True:
            try:
                connection = await AsyncConnection.connect(self.conninfo, autocommit=True)
                async with connection:
                    await self._watch(connection)
            except (Error, OrmError, OSError, TimeoutError) as fault:
                log.warning("health_not_judged", fault=type(fault).__name__)
            finally:
                self.is_judge = False
            await asyncio.sleep(self.every_s())

    async def _watch(self, connection: AsyncConnection[Any]) -> None:
        while not await _locked(connection):  # noqa: ASYNC110 - the lock is another process's
            await asyncio.sleep(self.every_s())
        self.is_judge = True
        while True:
            await self.judge()
            await self._wait()
            # A lost connection has lost the lock as well.
            await connection.execute("SELECT 1")

    async def _wait(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self.every_s()):
                await self._soon.wait()
        self._soon.clear()


async def _locked(connection: AsyncConnection[Any]) -> bool:
    cursor = await connection.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
    row = await cursor.fetchone()
    return row is not None and bool(row[0])
