"""The pulse of a process: its lock, the heartbeats of its runs, and the wish to stop them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from uuid import UUID

import psycopg
import structlog

from conversations.runs.log import connection_arguments

logger = structlog.get_logger(__name__)

# Tried again with each beat: after a lost connection the old session may hold it for a while.
_LOCK = "SELECT pg_try_advisory_lock(%s)"
# Also those that a reaper took for lost: their drivers work for nobody.
_STOPPING = "SELECT id FROM conversations_run WHERE state <> 'running' AND id = ANY(%s)"
_BEAT = "UPDATE conversations_run SET heartbeat_at = now() WHERE id = ANY(%s)"

POLL_S = 0.5
BEATS = 10


class Keeper:
    """`live` tells the runs of this process; `stop` is called for each to be ended."""

    def __init__(
        self, process: int, live: Callable[[], Collection[UUID]], stop: Callable[[UUID], None]
    ) -> None:
        self._process = process
        self._live = live
        self._stop = stop
        self._connection: psycopg.AsyncConnection | None = None

    async def open(self) -> None:
        """Take the lock that says that this process lives."""
        self._connection = await psycopg.AsyncConnection.connect(
            **connection_arguments(), autocommit=True, application_name="gaiweb-keeper"
        )
        await self._connection.execute(_LOCK, (self._process,))

    async def keep(self) -> None:
        """Go on until cancelled; a lost connection is made anew."""
        rounds = 0
        while True:
            await asyncio.sleep(POLL_S)
            rounds += 1
            try:
                await self._look(beat=rounds % BEATS == 0)
            except psycopg.OperationalError:
                logger.warning("keeper_lost_its_connection")
                await self.aclose()

    async def aclose(self) -> None:
        if self._connection is not None:
            await self._connection.close()
        self._connection = None

    async def _look(self, *, beat: bool) -> None:
        if self._connection is None:
            await self.open()
            return
        runs = list(self._live())
        if beat:
            await self._connection.execute(_LOCK, (self._process,))
            await self._connection.execute(_BEAT, (runs,))
        if runs:
            stopping = await self._connection.execute(_STOPPING, (runs,))
            for (run_id,) in await stopping.fetchall():
                self._stop(run_id)
