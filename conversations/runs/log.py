"""The log of runs, on connections of its own: a stream holds no thread and none of Django's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connections
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from conversations.runs.events import Kind, LogEvent

_APPEND = "INSERT INTO conversations_runevent (run_id, seq, kind, data) VALUES (%s, %s, %s, %s)"
_READ = """
    SELECT seq, kind, data FROM conversations_runevent
    WHERE run_id = %s AND seq > %s ORDER BY seq LIMIT %s
"""
_STATE = "SELECT state FROM conversations_run WHERE id = %s"


def connection_arguments() -> dict[str, Any]:
    """Where Django's default database is, in the words of psycopg."""
    settings = connections["default"].settings_dict
    known = {
        "dbname": settings["NAME"],
        "user": settings["USER"],
        "password": settings["PASSWORD"],
        "host": settings["HOST"],
        "port": settings["PORT"],
    }
    options = {k: v for k, v in settings.get("OPTIONS", {}).items() if k.startswith("ssl")}
    return {name: value for name, value in {**known, **options}.items() if value}


class RunLog:
    """`page` bounds the rows of one read, so that a long backlog is replayed in pieces."""

    def __init__(self, pool: AsyncConnectionPool, *, page: int = 500) -> None:
        self._pool = pool
        self._page = page

    @classmethod
    async def open(cls, *, max_size: int = 4) -> RunLog:
        pool = AsyncConnectionPool(
            kwargs={
                **connection_arguments(),
                "autocommit": True,
                "application_name": "gaiweb-runs",
            },
            min_size=1,
            max_size=max_size,
            open=False,
        )
        await pool.open()
        return cls(pool)

    async def append(self, run_id: UUID, events: Sequence[LogEvent]) -> None:
        rows = [(run_id, event.seq, event.kind, Jsonb(event.data)) for event in events]
        async with self._pool.connection() as connection, connection.cursor() as cursor:
            await cursor.executemany(_APPEND, rows)

    async def read(self, run_id: UUID, after: int) -> list[LogEvent]:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_READ, (run_id, after, self._page))
            return [LogEvent(seq, Kind(kind), data) async for seq, kind, data in cursor]

    async def state(self, run_id: UUID) -> str | None:
        async with self._pool.connection() as connection:
            row = await (await connection.execute(_STATE, (run_id,))).fetchone()
            return row[0] if row else None

    async def aclose(self) -> None:
        await self._pool.close()
