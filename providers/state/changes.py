"""What changed in the database, told to every process through LISTEN and NOTIFY."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from django.db import Error as OrmError
from psycopg import AsyncConnection, Error, sql
from structlog import get_logger

from providers.state.ended import ended

log = get_logger(__name__)

CHANNEL = "gaiweb_changes"

Reread = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Changes:
    """One connection that listens. Tables map to what has to be read again when they change.

    After a gap nobody knows what was missed, so everything is read again; and so it is every
    `every_s`, which also finds out that the connection died quietly.
    """

    conninfo: str
    readers: dict[frozenset[str], Reread]
    every_s: float = 60.0
    reconnect_s: float = 1.0
    is_listening: bool = False
    _task: asyncio.Task[None] | None = field(default=None)

    async def start(self) -> None:
        self._task = asyncio.create_task(self._keep_listening(), name="changes")

    async def stop(self) -> None:
        if self._task is not None:
            await ended(self._task)

    async def reread_all(self) -> None:
        for reread in self.readers.values():
            await self._reread(reread)

    async def _keep_listening(self) -> None:
        while True:
            try:
                await self._listen()
            except (Error, OSError) as fault:
                self.is_listening = False
                log.warning("changes_not_heard", fault=type(fault).__name__)
            await asyncio.sleep(self.reconnect_s)

    async def _listen(self) -> None:
        connection = await AsyncConnection.connect(self.conninfo, autocommit=True)
        async with connection:
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
            self.is_listening = True
            while True:
                await self.reread_all()
                async for notification in connection.notifies(timeout=self.every_s):
                    await self._tell({notification.payload})
                await connection.execute("SELECT 1")

    async def _tell(self, tables: set[str]) -> None:
        for watched, reread in self.readers.items():
            if watched & tables:
                await self._reread(reread)

    async def _reread(self, reread: Reread) -> None:
        try:
            await reread()
        except (Error, OrmError, OSError, TimeoutError) as fault:
            # What was known stays in force until the next round.
            log.warning("not_read_again", fault=type(fault).__name__)
