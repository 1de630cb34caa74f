"""Whole answers under a caller's idempotency key: who comes again gets the same and pays nothing.

The first claims a row; who comes meanwhile is told to come again; when it has answered, the answer
lies there sealed for a day. A failure frees the key, for it may be tried again; so does an answer
over 16 MB, which is not kept. Once begun, an
answer is made to its end although its caller has gone: that is whom the key is for.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import psycopg
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout
from structlog import get_logger

from providers.engine.call import Caller
from providers.engine.errors import (
    IdempotencyKeyReused,
    InvalidRequest,
    LedgerUnavailable,
    StillAnswering,
)
from providers.engine.ports import AnswerKey, KeptAnswer, UtcNow
from providers.state.sealed_answers import Sealer

log = get_logger(__name__)

KEPT = timedelta(hours=24)
MOST_KEPT_BYTES = 16 * 1024 * 1024
_LONGEST_KEY = 255
# As long as a hold of the ledger: who claimed a key and has not answered by then is gone.
_LEASE = timedelta(minutes=15)
_PATIENCE_S = 2.0
_COME_AGAIN_S = 2.0
_AWAY = (psycopg.Error, PoolTimeout, PoolClosed, OSError)

_CLAIM = """
INSERT INTO providers_keptreply (digest, team_id, fingerprint, request_id, at)
VALUES (%(digest)s, %(team)s, %(fingerprint)s, %(request)s, %(now)s)
ON CONFLICT (digest) DO UPDATE SET fingerprint = excluded.fingerprint,
    request_id = excluded.request_id, at = excluded.at, value = NULL
WHERE providers_keptreply.at <= %(too_old)s
    OR (providers_keptreply.value IS NULL AND providers_keptreply.at <= %(given_up)s)
RETURNING digest
"""
_FIND = "SELECT fingerprint, value FROM providers_keptreply WHERE digest = %s"
_KEEP = "UPDATE providers_keptreply SET value = %s WHERE digest = %s AND request_id = %s"
_FREE = "DELETE FROM providers_keptreply WHERE digest = %s AND request_id = %s AND value IS NULL"


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer as it was written; `headers` are those that tell of it."""

    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
    is_replay: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """`said`: all that was asked, as it came; the same key with anything else is refused."""

    caller: Caller
    key: str
    said: bytes
    request_id: UUID


Make = Callable[[], Awaitable[Reply]]


@dataclass(slots=True, kw_only=True)
class Replies:
    """Belongs to one loop."""

    pool: AsyncConnectionPool[psycopg.AsyncConnection[tuple[Any, ...]]]
    sealer: Sealer
    utcnow: UtcNow
    _making: set[asyncio.Task[Reply]] = field(default_factory=set)

    async def answer(self, asked: Asked, make: Make) -> Reply:
        """Raise InvalidRequest, IdempotencyKeyReused, StillAnswering, LedgerUnavailable, and as
        `make` does.
        """
        _check(asked.key)
        place = self._place(asked)
        if not await self._is_ours(asked, place):
            return await self._given(asked, place)
        making = asyncio.create_task(self._made(asked, place, make), name="idempotent answer")
        self._making.add(making)
        making.add_done_callback(self._ended)
        return await asyncio.shield(making)

    async def aclose(self) -> None:
        """Break off what is still being made; each reaches its settlement."""
        for making in self._making:
            making.cancel()
        if self._making:
            await asyncio.wait(self._making)

    def _ended(self, making: asyncio.Task[Reply]) -> None:
        self._making.discard(making)
        if not making.cancelled():
            # Its caller was told, or has gone; the log has it from the call itself.
            making.exception()

    def _place(self, asked: Asked) -> AnswerKey:
        """Name the row: nobody meets another's key, and it tells nothing of either."""
        caller = asked.caller
        who = f"{caller.source} {caller.key_id} {caller.user_id} {caller.team_id}"
        digest = self._digest(f"idempotency\0{who}\0{asked.key}".encode())
        return AnswerKey(digest, caller.team_id or 0, "")

    def _digest(self, of: bytes) -> bytes:
        return hmac.digest(self.sealer.secret, of, "sha256")

    async def _is_ours(self, asked: Asked, place: AnswerKey) -> bool:
        now = self.utcnow()
        claim = {
            "digest": place.digest,
            "team": place.team_id,
            "fingerprint": self._digest(asked.said),
            "request": asked.request_id,
            "now": now,
            "too_old": now - KEPT,
            "given_up": now - _LEASE,
        }
        return bool(await self._ask(_CLAIM, claim))

    async def _given(self, asked: Asked, place: AnswerKey) -> Reply:
        row = await self._ask(_FIND, (place.digest,))
        if row is not None and bytes(row[0]) != self._digest(asked.said):
            raise IdempotencyKeyReused(
                "This idempotency key was used for another request. Take a new key for a new "
                "request, or send the first one again unchanged.",
                param="idempotency-key",
            )
        kept = None if row is None or row[1] is None else bytes(row[1])
        opened = None if kept is None else self.sealer.unseal(place, kept)
        if opened is None:
            raise StillAnswering(
                "The first request with this idempotency key is still being answered. Send it "
                "again in a moment for the same answer.",
                retry_after_s=_COME_AGAIN_S,
            )
        return replace(_read(opened.value), is_replay=True)

    async def _made(self, asked: Asked, place: AnswerKey, make: Make) -> Reply:
        mine = (place.digest, asked.request_id)
        try:
            reply = await make()
        except BaseException:
            await self._write(_FREE, mine)
            raise
        if len(reply.body) > MOST_KEPT_BYTES:
            log.warning("idempotent_answer_too_large", bytes=len(reply.body))
            await self._write(_FREE, mine)
            return reply
        sealed = self.sealer.seal(place, KeptAnswer(_written(reply), self.utcnow()))
        await self._write(_KEEP, (sealed, *mine))
        return reply

    async def _ask(self, sql: str, values: Any) -> tuple[Any, ...] | None:
        try:
            async with self.pool.connection(timeout=_PATIENCE_S) as connection:
                return await (await connection.execute(sql, values)).fetchone()
        except _AWAY as fault:
            raise LedgerUnavailable(
                "The database cannot be reached, so an idempotency key cannot be kept.",
                retry_after_s=5,
            ) from fault

    async def _write(self, sql: str, values: Any) -> None:
        """Where it cannot be written the claim runs out by itself."""
        try:
            async with self.pool.connection(timeout=_PATIENCE_S) as connection:
                await connection.execute(sql, values)
        except _AWAY as fault:
            log.warning("idempotent_answer_not_written", fault=type(fault).__name__)


def _check(key: str) -> None:
    if not (0 < len(key) <= _LONGEST_KEY and key.isascii() and key.isprintable()):
        raise InvalidRequest(
            f"An idempotency key has 1 to {_LONGEST_KEY} printable ASCII characters.",
            param="idempotency-key",
        )


def _written(reply: Reply) -> bytes:
    headers = [(name.decode("latin-1"), told.decode("latin-1")) for name, told in reply.headers]
    return orjson.dumps({"body": reply.body.decode(), "headers": headers})


def _read(value: bytes) -> Reply:
    kept = orjson.loads(value)
    headers = ((name.encode("latin-1"), told.encode("latin-1")) for name, told in kept["headers"])
    return Reply(kept["body"].encode(), tuple(headers))
