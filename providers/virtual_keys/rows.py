"""The key table as the running gateway reads and touches it: through the async pool, no ORM."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from psycopg import AsyncConnection, Error
from psycopg_pool import AsyncConnectionPool
from structlog import get_logger

from providers.engine.errors import LedgerUnavailable
from providers.virtual_keys.verifier import KnownKey, caller_of

log = get_logger(__name__)

Pool = AsyncConnectionPool[AsyncConnection[tuple[Any, ...]]]

# A key ends with its owner's right to spend for the team, not only with its own revocation.
_FIND = """
SELECT k.digest, k.id, k.user_id, k.team_id, k.routes, k.tag, k.expires_at
FROM providers_virtualkey k
JOIN providers_user u ON u.id = k.user_id AND u.is_active
WHERE k.prefix = %s AND k.revoked_at IS NULL
  AND (u.role = 'owner' OR EXISTS (
    SELECT 1 FROM providers_membership m
    WHERE m.user_id = k.user_id AND m.team_id = k.team_id AND m.role <> 'viewer'))
"""
_TOUCH = """
UPDATE providers_virtualkey k SET last_used_at = greatest(k.last_used_at, used.at)
FROM unnest(%s::bigint[], %s::timestamptz[]) AS used(id, at) WHERE k.id = used.id
"""


@dataclass(frozen=True, slots=True)
class KeyRows:
    pool: Pool
    patience_s: float = 5.0

    async def find(self, prefix: str) -> KnownKey | None:
        """Raise LedgerUnavailable: without the table nobody is let in, nor called wrong."""
        try:
            async with self.pool.connection(timeout=self.patience_s) as connection:
                cursor = await connection.execute(_FIND, (prefix,))
                row = await cursor.fetchone()
        except Error as fault:
            raise LedgerUnavailable("Keys cannot be checked just now.", retry_after_s=5) from fault
        if row is None:
            return None
        key_digest, key_id, user_id, team_id, routes, tag, expires_at = row
        return KnownKey(
            digest=bytes(key_digest),
            caller=caller_of(user_id, team_id, key_id, routes, tag),
            expires_at=expires_at.timestamp() if expires_at else None,
        )

    async def touch(self, used: dict[int, float]) -> None:
        at = [datetime.fromtimestamp(epoch, UTC) for epoch in used.values()]
        async with self.pool.connection(timeout=self.patience_s) as connection:
            await connection.execute(_TOUCH, (list(used), at))


@dataclass(slots=True)
class LastUsed:
    """When keys were last used, written in batches: nobody waits for it, a crash may lose some."""

    rows: KeyRows
    epoch: Callable[[], float]
    _waiting: dict[int, float] = field(default_factory=dict)

    def note(self, key_id: int) -> None:
        self._waiting[key_id] = self.epoch()

    async def flush(self) -> None:
        waiting, self._waiting = self._waiting, {}
        if not waiting:
            return
        try:
            await self.rows.touch(waiting)
        except (Error, OSError, TimeoutError) as fault:
            log.warning("last_used_not_written", keys=len(waiting), fault=type(fault).__name__)
            self._waiting = waiting | self._waiting
