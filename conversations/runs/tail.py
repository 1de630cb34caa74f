"""Following a run from any place in its log, in any process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from uuid import UUID

from conversations.models import RunState
from conversations.runs.events import Kind, LogEvent, snapshot
from conversations.runs.journal import Journal
from conversations.runs.log import RunLog

PING_S = 15.0
POLL_S = 0.25
LIVE = (RunState.RUNNING, RunState.STOPPING)


class Tail:
    """`journal` None: another process drives the run, and its rows are read."""

    def __init__(self, run_id: UUID, log: RunLog, journal: Journal | None) -> None:
        self._run_id = run_id
        self._log = log
        self._journal = journal

    async def follow(self, after: int | None) -> AsyncGenerator[LogEvent | None]:
        """Yield what comes after number `after`, and None when a ping is due.

        `after` None: the past comes first, as one snapshot. Ends after the terminal event.
        """
        position = self._clamped(after or 0)
        if after is None and (past := await self._past()):
            position = past[-1].seq
            yield snapshot(past)
        idle_s = 0.0
        while True:
            batch = await self._read(position) or await self._gone(position)
            for event in batch:
                yield event
                if event.is_terminal:
                    return
            if batch:
                position, idle_s = batch[-1].seq, 0.0
                continue
            idle_s += await self._wait(PING_S - idle_s, position)
            if idle_s >= PING_S:
                idle_s = 0.0
                yield None

    def _clamped(self, position: int) -> int:
        """Bound it: a number that nobody gave out would wait for ever."""
        return position if self._journal is None else min(position, len(self._journal.events))

    async def _past(self) -> list[LogEvent]:
        return [event for event in await self._all() if not event.is_terminal]

    async def _all(self) -> list[LogEvent]:
        events: list[LogEvent] = []
        while batch := await self._read(events[-1].seq if events else 0):
            events.extend(batch)
        return events

    async def _read(self, position: int) -> list[LogEvent]:
        if self._journal is not None:
            return self._journal.after(position)
        return await self._log.read(self._run_id, position)

    async def _gone(self, position: int) -> list[LogEvent]:
        """Make the end up of a run whose log was swept: its answer is in the message by now."""
        if self._journal is not None or await self._log.state(self._run_id) in LIVE:
            return []
        rest = await self._log.read(self._run_id, position)
        return rest or [LogEvent(position + 1, Kind.FINISH, {"reason": "gone"})]

    async def _wait(self, limit_s: float, position: int) -> float:
        """Wait for news; answer the seconds that count as silence."""
        if self._journal is None:
            await asyncio.sleep(POLL_S)
            return POLL_S
        if self._journal.after(position):
            return 0.0
        try:
            async with asyncio.timeout(limit_s):
                await self._journal.changed()
        except TimeoutError:
            return limit_s
        return 0.0
