"""The ledger on Postgres: one round trip admits or settles everybody who waits."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import orjson
import psycopg
from django.utils import timezone
from psycopg_pool import PoolClosed, PoolTimeout

from providers.engine.call import AttemptRecord, Call
from providers.engine.errors import EngineError, LedgerUnavailable
from providers.engine.ports import Downgrade, Intent, Reservation, Sleep
from providers.ledger.bookings import entries_of, entry_of_hit
from providers.ledger.group_commit import GroupCommit
from providers.ledger.pool import Pool
from providers.ledger.refusals import BUDGET_SQL, RefusedBy, budget_exceeded, downgrade, unpriced
from providers.ledger.settling import Settlement, Settling

# One JSON text instead of eight arrays: psycopg writes arrays element by element in Python, which
# was a thirtieth of a request's processor time.
_RESERVE = """SELECT item, verdict, is_booked, budget_id, room_nano FROM (
    SELECT array_agg(id ORDER BY n) AS ids, array_agg(source ORDER BY n) AS sources,
        array_agg(user_id ORDER BY n) AS users, array_agg(team_id ORDER BY n) AS teams,
        array_agg(key_id ORDER BY n) AS keys, array_agg(tag ORDER BY n) AS tags,
        array_agg(route ORDER BY n) AS routes,
        array_agg(worst_nano ORDER BY n) AS worst, array_agg(is_degraded ORDER BY n) AS degraded,
        array_agg(ttl_s ORDER BY n) AS ttls
    FROM ROWS FROM (json_to_recordset(%s::json) AS (
        id uuid, source text, user_id bigint, team_id bigint, key_id bigint, tag text, route text,
        worst_nano bigint, is_degraded boolean, ttl_s float8
    )) WITH ORDINALITY AS intents(
        id, source, user_id, team_id, key_id, tag, route, worst_nano, is_degraded, ttl_s, n)
) AS asked,
LATERAL ledger_reserve(
    ids, sources, users, teams, keys, tags, routes, worst, degraded, ttls, %s::timestamptz)"""
_OPEN_WINDOWS = "SELECT ledger_open_windows(%s::bigint[], %s::timestamptz)"
_TOP_UP = "SELECT verdict, budget_id, room_nano FROM ledger_top_up(%s::uuid, %s::bigint)"
_SETTLE = """SELECT ledger_settle(
    ARRAY(SELECT json_array_elements_text(%s::json)::uuid), %s::json, %s::timestamptz)"""
_BOOK_HITS = "SELECT ledger_book_hits(%s::json, %s::timestamptz)"
# Enough for minutes without a database; a hit costs nothing, so its row may be given up.
_MOST_HITS = 10_000
_UNREACHABLE = "The ledger cannot be reached, and nothing is sent without a hold."
_SILENT = "The ledger does not answer, and nothing is sent without a hold."

_log = logging.getLogger(__name__)
_Row = tuple[Any, ...]
_Answer = Reservation | Downgrade | EngineError


class _NotSent(LedgerUnavailable):
    """Surely nothing reached the database."""


class PostgresLedger:
    """Belongs to one event loop, and owns its pool (`pool.connect` makes one that fits).

    An id is reserved once. `patience_s` is how long a request waits for a connection, `answer_s`
    how long a statement may take (more than the server's own limit, so that only a server that went
    silent meets it), and `longest_s` how long anybody waits for a hold. A reserve that failed or
    was cancelled after it was sent may have been committed: it is freed through the settlements,
    and by expiry when the process dies first.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        now: Callable[[], datetime] = timezone.now,
        sleep: Sleep = asyncio.sleep,
        patience_s: float = 5.0,
        answer_s: float = 20.0,
        longest_s: float = 12.0,
    ) -> None:
        self._pool = pool
        self._now = now
        self._patience_s = patience_s
        self._answer_s = answer_s
        self._longest_s = longest_s
        self._settling = Settling(self._write_settlements, sleep)
        self._hits = Settling(self._write_hits, sleep)
        self._reserving = GroupCommit[Intent, Reservation | Downgrade](
            self._reserve_all, self._release
        )

    @property
    def settling(self) -> int:
        """How many settlements this process still has to write."""
        return self._settling.waiting

    async def reserve(self, intent: Intent) -> Reservation | Downgrade:
        try:
            async with asyncio.timeout(self._longest_s):
                return await self._reserving.join(intent)
        except TimeoutError as error:
            raise LedgerUnavailable(_SILENT, retry_after_s=5) from error

    async def top_up(self, reservation: Reservation, extra_nano: int) -> Reservation:
        """Add to the hold; cancelled or failed, what was added is freed at settlement."""
        rows = await self._execute(_TOP_UP, (reservation.id, extra_nano))
        verdict, budget_id, room_nano = rows[0]
        if verdict == "closed":
            raise LedgerUnavailable("The hold of this request has expired.")
        if verdict == "refused":
            by = await self._named(budget_id)
            if isinstance(by, LedgerUnavailable):
                raise by
            raise _refusal(by, reservation.intent, extra_nano, room_nano)
        held = reservation.held_nano or reservation.intent.worst_case_nano or 0
        return Reservation(reservation.id, reservation.intent, held + extra_nano)

    async def settle(self, reservation: Reservation, attempts: Sequence[AttemptRecord]) -> None:
        """Return when it is durable, or when a first try has failed and memory keeps it; a server
        that does not answer is waited for no longer than `patience_s`.

        Nothing was sent: the hold is freed without anybody waiting for it, since a release that is
        lost with the process costs nobody anything but room, until expiry.
        """
        if not attempts:
            self._release(reservation.intent)
            return
        held = max(reservation.held_nano, reservation.intent.worst_case_nano or 0)
        settlement = Settlement(reservation.id, entries_of(reservation.id, attempts, held))
        self._settling.add(settlement)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience_s):
                await settlement.tried.wait()

    def note_hit(self, call: Call, record: AttemptRecord) -> None:
        if self._hits.waiting >= _MOST_HITS:
            _log.warning("a cached answer is not booked", extra={"request_id": str(call.id)})
            return
        self._hits.add(Settlement(call.id, [entry_of_hit(call, record)]))

    async def aclose(self, timeout_s: float = 10.0) -> None:
        """Write what waits, then close the pool. What time does not allow is left to expiry."""
        await self._reserving.drained()
        if not await self._settling.drained(timeout_s):
            _log.error("settlements left to expiry", extra={"count": self._settling.waiting})
            await self._settling.stop()
        if not await self._hits.drained(timeout_s):
            await self._hits.stop()
        await self._pool.close()

    def _release(self, intent: Intent) -> None:
        self._settling.add(Settlement(intent.request_id, []))

    async def _reserve_all(self, intents: Sequence[Intent]) -> Sequence[_Answer]:
        try:
            return await self._admit(intents)
        except _NotSent:
            pass
        except LedgerUnavailable:
            for intent in intents:
                self._release(intent)
        except psycopg.DatabaseError as error:
            return await self._reserve_one_by_one(intents, error)
        # One each: a shared exception would gather the tracebacks of all who raise it.
        return [LedgerUnavailable(_UNREACHABLE, retry_after_s=5) for _ in intents]

    async def _reserve_one_by_one(
        self, intents: Sequence[Intent], error: psycopg.DatabaseError
    ) -> Sequence[_Answer]:
        """Let a statement that Postgres finds faulty fail for who is at fault, not for all."""
        if len(intents) == 1:
            _log.error("reservation refused by the database", extra={"sqlstate": error.sqlstate})
            return [LedgerUnavailable("The ledger could not take this request.")]
        return [answer for intent in intents for answer in await self._reserve_all([intent])]

    async def _admit(self, intents: Sequence[Intent]) -> Sequence[_Answer]:
        rows = await self._verdicts(intents, self._now())
        answers: list[_Answer] = []
        named: dict[int, RefusedBy | LedgerUnavailable] = {}
        for (_, verdict, is_booked, budget_id, room_nano), intent in zip(
            rows, intents, strict=True
        ):
            worst = intent.worst_case_nano or 0
            if verdict == "admitted":
                answers.append(Reservation(intent.request_id, intent, worst if is_booked else 0))
                continue
            if budget_id not in named:
                named[budget_id] = await self._named(budget_id)
            by = named[budget_id]
            if isinstance(by, EngineError):
                answers.append(LedgerUnavailable(by.message, retry_after_s=by.retry_after_s))
            elif verdict == "degrade":
                answers.append(downgrade(by, worst, room_nano))
            else:
                answers.append(_refusal(by, intent, worst, room_nano))
        return answers

    async def _verdicts(self, intents: Sequence[Intent], now: datetime) -> list[_Row]:
        """In the order of `intents`. Windows that do not exist yet are opened on the way."""
        asked = [
            {
                "id": intent.request_id,
                "source": intent.caller.source,
                "user_id": intent.caller.user_id,
                "team_id": intent.caller.team_id,
                "key_id": intent.caller.key_id,
                "tag": intent.caller.tag,
                "route": intent.route,
                "worst_nano": intent.worst_case_nano,
                "is_degraded": intent.is_degraded,
                "ttl_s": intent.ttl_s,
            }
            for intent in intents
        ]
        arguments = (_json(asked), now)
        for _ in range(3):
            rows = await self._execute(_RESERVE, arguments)
            if rows[0][1] != "window":
                return rows
            await self._execute(_OPEN_WINDOWS, (sorted(row[3] for row in rows), now))
        raise LedgerUnavailable("Budgets changed while the request was admitted.", retry_after_s=1)

    async def _named(self, budget_id: int) -> RefusedBy | LedgerUnavailable:
        try:
            rows = await self._execute(BUDGET_SQL, (self._now(), budget_id))
        except LedgerUnavailable as error:
            return error
        if not rows:
            return LedgerUnavailable("Budgets changed while the request was admitted.")
        return RefusedBy(*rows[0])

    async def _write_settlements(self, batch: Sequence[Settlement]) -> None:
        entries = [entry for settlement in batch for entry in settlement.entries]
        ids = [settlement.id for settlement in batch]
        try:
            await self._execute(_SETTLE, (_json(ids), _json(entries), self._now()))
        except psycopg.DatabaseError as error:
            if len(batch) > 1:
                for settlement in batch:
                    await self._write_settlements([settlement])
                return
            # Trying again cannot help; expiry books the hold.
            _log.error(
                "settlement refused by the database",
                extra={"request_id": str(ids[0]), "sqlstate": error.sqlstate},
            )

    async def _write_hits(self, batch: Sequence[Settlement]) -> None:
        entries = [entry for hit in batch for entry in hit.entries]
        try:
            await self._execute(_BOOK_HITS, (_json(entries), self._now()))
        except psycopg.DatabaseError as error:
            _log.error("cached answers not booked", extra={"sqlstate": error.sqlstate})

    async def _execute(self, query: str, arguments: Sequence[Any]) -> list[_Row]:
        try:
            async with (
                self._pool.connection(timeout=self._patience_s) as connection,
                asyncio.timeout(self._answer_s),
            ):
                cursor = await connection.execute(query, arguments)
                return await cursor.fetchall()
        except TimeoutError as error:
            raise LedgerUnavailable(_SILENT, retry_after_s=5) from error
        except (PoolTimeout, PoolClosed) as error:
            raise _NotSent(_UNREACHABLE, retry_after_s=5) from error
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise LedgerUnavailable(_UNREACHABLE, retry_after_s=5) from error


def _refusal(by: RefusedBy, intent: Intent, needed_nano: int, room_nano: int) -> EngineError:
    if intent.worst_case_nano is None:
        return unpriced(by, intent)
    return budget_exceeded(by, needed_nano, room_nano)


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
