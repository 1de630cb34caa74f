"""Settlements that wait for the database, in memory, until they are written."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from providers.engine.errors import LedgerUnavailable
from providers.engine.ports import Sleep


@dataclass(slots=True)
class Settlement:
    """`entries` empty: nothing was sent upstream, the hold is only freed."""

    id: UUID
    entries: list[dict[str, Any]]
    tried: asyncio.Event = field(default_factory=asyncio.Event)


class Settling:
    """One batch in flight. A batch that failed goes back to the head of the queue, in order.

    Nothing is dropped here: the queue holds no more than the calls that this process answered.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Settlement]], Awaitable[None]],
        sleep: Sleep,
        *,
        most: int = 256,
        longest_wait_s: float = 3.0,
    ) -> None:
        self._write = write
        self._sleep = sleep
        self._most = most
        self._longest_wait_s = longest_wait_s
        self._waiting: deque[Settlement] = deque()
        self._in_flight: list[Settlement] = []
        self._writer: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Settlements that are not yet durable."""
        return len(self._waiting) + len(self._in_flight)

    def add(self, settlement: Settlement) -> None:
        self._waiting.append(settlement)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all())

    async def drained(self, timeout_s: float) -> bool:
        """Wait; False: time ran out first, and what is left is resolved by expiry."""
        if self._writer is None:
            return True
        done, _ = await asyncio.wait([self._writer], timeout=timeout_s)
        return bool(done)

    async def stop(self) -> None:
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.wait([self._writer])

    async def _write_all(self) -> None:
        wait_s = 0.05
        try:
            while self._waiting:
                await asyncio.sleep(0)
                if await self._write_some():
                    wait_s = 0.05
                    continue
                await self._sleep(wait_s)
                wait_s = min(wait_s * 2, self._longest_wait_s)
        finally:
            self._writer = None

    async def _write_some(self) -> bool:
        take = min(self._most, len(self._waiting))
        batch = self._in_flight = [self._waiting.popleft() for _ in range(take)]
        is_written = False
        try:
            await self._write(batch)
            is_written = True
        except LedgerUnavailable:
            pass
        finally:
            self._in_flight = []
            if not is_written:
                self._waiting.extendleft(reversed(batch))
            for settlement in batch:
                settlement.tried.set()
        return is_written
