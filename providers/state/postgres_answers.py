"""The far tier of the cache where there is no Redis: an unlogged table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout
from structlog import get_logger

from providers.engine.call import Tier
from providers.engine.ports import AnswerKey, KeptAnswer
from providers.state.sealed_answers import Sealer

log = get_logger(__name__)

_GET = "SELECT value FROM providers_cachedanswer WHERE digest = %s AND team_id = %s"
_PUT = """
INSERT INTO providers_cachedanswer (digest, team_id, route, value, kept_at)
VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (digest) DO UPDATE SET value = excluded.value, kept_at = excluded.kept_at
"""
_AWAY = (psycopg.Error, PoolTimeout, PoolClosed, OSError)


@dataclass(slots=True)
class PostgresAnswers:
    """`patience_s` is how long one waits for a connection."""

    pool: AsyncConnectionPool[psycopg.AsyncConnection[tuple[Any, ...]]]
    sealer: Sealer
    patience_s: float = 0.5
    tier: Tier = Tier.SHARED

    async def get(self, key: AnswerKey) -> KeptAnswer | None:
        try:
            async with self.pool.connection(timeout=self.patience_s) as connection:
                cursor = await connection.execute(_GET, (key.digest, key.team_id))
                row = await cursor.fetchone()
        except _AWAY as fault:
            log.warning("cache_not_read", fault=type(fault).__name__)
            return None
        return None if row is None else self.sealer.unseal(key, bytes(row[0]))

    async def put(self, key: AnswerKey, kept: KeptAnswer) -> None:
        box = self.sealer.seal(key, kept)
        row = (key.digest, key.team_id, key.route, box, kept.kept_at)
        try:
            async with self.pool.connection(timeout=self.patience_s) as connection:
                await connection.execute(_PUT, row)
        except _AWAY as fault:
            log.warning("cache_not_written", fault=type(fault).__name__)
