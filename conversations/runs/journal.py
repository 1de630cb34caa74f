"""What one run says, in order: written in batches, then shown to the tails of this process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from conversations.runs.events import DELTAS, Kind, LogEvent
from conversations.runs.log import RunLog


class Journal:
    """Nothing is shown that is not in the log. `pause_s` is the least time between two writes."""

    def __init__(self, run_id: UUID, log: RunLog, *, pause_s: float = 0.05) -> None:
        self.events: list[LogEvent] = []
        self._run_id = run_id
        self._log = log
        self._pause_s = pause_s
        self._pending: list[tuple[Kind, dict[str, Any]]] = []
        self._stirred = asyncio.Event()
        self._changed = asyncio.Event()
        self._closing = asyncio.Event()

    def say(self, kind: Kind, data: dict[str, Any]) -> None:
        """Queue a line; neighbouring deltas of a kind become one."""
        last = self._pending[-1] if self._pending else None
        if last and kind in DELTAS and last[0] is kind:
            last[1]["text"] += data["text"]
        else:
            self._pending.append((kind, dict(data)))
        self._stirred.set()

    async def write_on(self) -> None:
        """Write whatever comes until closed; never cancel it: a number is given out once."""
        while not self._closing.is_set():
            await self._stirred.wait()
            await self._flush()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), self._pause_s)
        await self._flush()

    def close(self) -> None:
        self._closing.set()
        self._stirred.set()

    async def _flush(self) -> None:
        batch = self.numbered(self._pending)
        self._pending = []
        self._stirred.clear()
        if batch:
            await self._log.append(self._run_id, batch)
            self.publish(batch)

    def numbered(self, lines: Sequence[tuple[Kind, dict[str, Any]]]) -> list[LogEvent]:
        """Give the lines their places after what has been written."""
        first = len(self.events) + 1
        return [LogEvent(first + n, kind, data) for n, (kind, data) in enumerate(lines)]

    def publish(self, batch: Sequence[LogEvent]) -> None:
        self.events.extend(batch)
        self._changed.set()
        self._changed = asyncio.Event()

    def abandon(self, kind: Kind, data: dict[str, Any]) -> None:
        """Tell the tails of an end that could not be written, unless they know of one."""
        if not (self.events and self.events[-1].is_terminal):
            self.publish(self.numbered([(kind, data)]))

    def after(self, seq: int) -> list[LogEvent]:
        return self.events[seq:]

    async def changed(self) -> None:
        """Return when more has been written than at the time of the call."""
        await self._changed.wait()
