"""Items that wait in the same turn of the loop go to the database together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from providers.engine.errors import EngineError, LedgerUnavailable

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(slots=True)
class _Waiting(Generic[Item, Result]):
    item: Item
    result: asyncio.Future[Result | EngineError]


class GroupCommit(Generic[Item, Result]):
    """One batch in flight; each caller waits until its own item is durable.

    `send` answers in the order of its items; an `EngineError` among the results is raised to that
    caller alone. `on_abandoned` hears of an item whose caller left while its batch was in flight:
    it may have been committed. `room` bounds the queue, `most` a batch.
    """

    def __init__(
        self,
        send: Callable[[Sequence[Item]], Awaitable[Sequence[Result | EngineError]]],
        on_abandoned: Callable[[Item], None],
        *,
        most: int = 256,
        room: int = 10_000,
    ) -> None:
        self._send = send
        self._on_abandoned = on_abandoned
        self._most = most
        self._room = room
        self._waiting: deque[_Waiting[Item, Result]] = deque()
        self._sender: asyncio.Task[None] | None = None

    async def join(self, item: Item) -> Result:
        """Raise what `send` says of this item, or LedgerUnavailable."""
        if len(self._waiting) >= self._room:
            raise LedgerUnavailable("Too many requests wait for the ledger.", retry_after_s=1)
        waiting = _Waiting[Item, Result](item, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._sender is None:
            self._sender = asyncio.create_task(self._send_all())
        try:
            result = await waiting.result
        except asyncio.CancelledError:
            # Committed, and cancelled in the very turn of the loop that was to tell the caller.
            if waiting.result.done() and not waiting.result.cancelled():
                self._on_abandoned(item)
            raise
        if isinstance(result, EngineError):
            raise result
        return result

    async def drained(self) -> None:
        if self._sender is not None:
            await asyncio.wait([self._sender])

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                # Lets everybody who is ready in this turn come along.
                await asyncio.sleep(0)
                batch = self._take()
                if batch:
                    await self._send_batch(batch)
        finally:
            self._sender = None
            self._refuse_the_rest()

    def _take(self) -> list[_Waiting[Item, Result]]:
        batch: list[_Waiting[Item, Result]] = []
        while self._waiting and len(batch) < self._most:
            waiting = self._waiting.popleft()
            if not waiting.result.done():
                batch.append(waiting)
        return batch

    async def _send_batch(self, batch: Sequence[_Waiting[Item, Result]]) -> None:
        results: Sequence[Result | EngineError] = [
            LedgerUnavailable("The ledger stopped before it answered.")
        ] * len(batch)
        try:
            results = await self._send([waiting.item for waiting in batch])
        finally:
            for waiting, result in zip(batch, results, strict=True):
                if waiting.result.done():
                    self._on_abandoned(waiting.item)
                else:
                    waiting.result.set_result(result)

    def _refuse_the_rest(self) -> None:
        """Only after a bug or a cancellation; in peace the queue is empty here."""
        for waiting in self._take():
            waiting.result.set_result(LedgerUnavailable("The ledger stopped before it answered."))
