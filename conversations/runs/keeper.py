"""The pulse of a process: its lock, the heartbeats of its runs, and the wish to stop them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from uuid import UUID

import psycopg
import structlog

from conversations.runs.log import connection_arguments

logger = structlog.get_logger(__name__)

_LOCK = "SELECT pg_advisory_lock(%s)"
_STOPPING = "SELECT id FROM conversations_run WHERE state = 'stopping' AND id = ANY(%s)"
_BEAT = "UPDATE conversations_run SET heartbeat_at = now() WHERE id = ANY(%s)"

POLL_S = 0.5
BEAT_S = 5.0


class Keeper:
    """`live` tells the runs of this process; `stop` is called for each that somebody wants ended."""

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
        silent_s = 0.0
        while True:
            await asyncio.sleep(POLL_S)
            silent_s += POLL_S
            try:
                await self._look(beat=silent_s >= BEAT_S)
            except psycopg.OperationalError:
                logger.warning("keeper_lost_its_connection")
                await self._reopen()
            if silent_s >= BEAT_S:
                silent_s = 0.0

    async def aclose(self) -> None:
        if self._connection is not None:
            await self._connection.close()

    async def _look(self, *, beat: bool) -> None:
        runs = list(self._live())
        if self._connection is None or not (runs or beat):
            return
        if beat:
            await self._connection.execute(_BEAT, (runs,))
        for (run_id,) in await (await self._connection.execute(_STOPPING, (runs,))).fetchall():
            self._stop(run_id)

    async def _reopen(self) -> None:
        await self.aclose()
        try:
            await self.open()
        except psycopg.OperationalError:
            self._connection = None
            logger.warning("keeper_cannot_reach_the_database")
