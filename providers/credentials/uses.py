"""When credentials were taken or refused, written in batches: nobody waits for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection, Error
from psycopg_pool import AsyncConnectionPool
from structlog import get_logger

from providers.engine.ports import UtcNow

log = get_logger(__name__)

Pool = AsyncConnectionPool[AsyncConnection[tuple[Any, ...]]]

# One that was revoked meanwhile is left out.
_WRITE = """
INSERT INTO providers_credentialuse AS known (credential_id, taken_at, refused_at)
SELECT c.id, news.taken_at, news.refused_at
FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[])
    AS news(id, taken_at, refused_at)
JOIN providers_credential c ON c.id = news.id
ON CONFLICT (credential_id) DO UPDATE
SET taken_at = greatest(known.taken_at, excluded.taken_at),
    refused_at = greatest(known.refused_at, excluded.refused_at)
"""


@dataclass(slots=True)
class CredentialUses:
    """A crash may lose some. `refused` is called at each refusal: people look for its reason."""

    pool: Pool
    utcnow: UtcNow
    refused: Callable[[], None]
    patience_s: float = 5.0
    _taken: dict[int, datetime] = field(default_factory=dict)
    _refused: dict[int, datetime] = field(default_factory=dict)

    def note(self, credential_id: int, is_taken: bool) -> None:  # noqa: FBT001 - as it is called
        (self._taken if is_taken else self._refused)[credential_id] = self.utcnow()
        if not is_taken:
            self.refused()

    async def flush(self) -> None:
        taken, refused = self._taken, self._refused
        ids = sorted({*taken, *refused})
        if not ids:
            return
        self._taken, self._refused = {}, {}
        columns = [[each.get(id) for id in ids] for each in (taken, refused)]
        try:
            async with self.pool.connection(timeout=self.patience_s) as connection:
                await connection.execute(_WRITE, (ids, *columns))
        except (Error, OSError, TimeoutError) as fault:
            log.warning("credential_use_not_written", count=len(ids), fault=type(fault).__name__)
            self._taken, self._refused = taken | self._taken, refused | self._refused
