"""Asks rows of every batch for a while, a bounded number at once, and keeps their leases."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from typing import ParamSpec, TypeVar

import structlog
from django.db import OperationalError
from django.utils import timezone

from conversations.batches import book
from conversations.batches.asking import Again, Answered, ask
from conversations.batches.book import LEASE, Outcome, Taken
from conversations.runs.ports import OpenAnswer
from conversations.threads import in_thread

logger = structlog.get_logger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

SLICE_S = 20.0
"""Then another task goes on, so that whatever else waits in the queue has its turn."""
LOOK_S = 1.0
_PATIENCE = 20
_RENEW_S = LEASE.total_seconds() / 3
_BROKEN = {"code": "internal_error", "message": "Something went wrong on our side."}
_STOPPED = {"code": "server_stopping", "message": "The server was stopped meanwhile."}


class Runner:
    """Belongs to one loop. `parallel` is asked each time, so that a change counts at once.

    `now` is monotonic, in seconds; `utcnow` the time that leases are written in.
    """

    def __init__(
        self,
        open_answer: OpenAnswer,
        parallel: Callable[[], int],
        *,
        now: Callable[[], float] = time.monotonic,
        utcnow: Callable[[], datetime] = timezone.now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._open_answer = open_answer
        self._parallel = parallel
        self._now = now
        self._utcnow = utcnow
        self._sleep = sleep
        self._asking: dict[asyncio.Task[Answered | Again], Taken] = {}
        self._renewed_at = now()
        self._loop = asyncio.get_running_loop()
        self._is_stopping = False

    async def run(self, slice_s: float = SLICE_S) -> bool:
        """Return when nothing is due or the time is over; True: there may be more.

        Cancelled, it puts back what it was asking.
        """
        until = self._now() + slice_s
        try:
            while self._now() < until and not self._is_stopping:
                await self._take()
                if not self._asking:
                    await self._decided(book.finish, self._utcnow())
                    return False
                await self._wait(LOOK_S)
            while self._asking:
                await self._wait(_RENEW_S)
        finally:
            await self._break_off()
        return True

    def stop(self, grace_s: float) -> None:
        """Take no more, and break off what has not ended within `grace_s` seconds.

        From any thread.
        """
        self._is_stopping = True
        self._loop.call_soon_threadsafe(self._loop.call_later, grace_s, self._cancel)

    async def _take(self) -> None:
        room = self._parallel() - len(self._asking)
        if room <= 0:
            return
        for taken in await self._decided(book.take, room, self._utcnow()):
            self._asking[asyncio.create_task(ask(taken, self._open_answer))] = taken

    async def _wait(self, limit_s: float) -> None:
        done, _ = await asyncio.wait(
            self._asking, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED
        )
        for task in done:
            await self._ended(task, self._asking.pop(task))
        if self._asking and self._now() - self._renewed_at >= _RENEW_S:
            self._renewed_at = self._now()
            await self._decided(book.renew, list(self._asking.values()), self._utcnow())

    async def _ended(self, task: asyncio.Task[Answered | Again], taken: Taken) -> None:
        """Tell the log of a bug, and the row's reader that there was one."""
        if task.cancelled():
            await self._put_back(taken, Again(_STOPPED))
        elif (bug := task.exception()) is not None:
            logger.error("batch_row_failed", item_id=str(taken.item_id), exc_info=bug)
            await self._keep(taken, Outcome(error=_BROKEN))
        else:
            match task.result():
                case Answered(outcome):
                    await self._keep(taken, outcome)
                case again:
                    await self._put_back(taken, again)

    async def _keep(self, taken: Taken, outcome: Outcome) -> None:
        if not await self._decided(book.keep, taken, outcome, self._utcnow()):
            logger.warning("batch_row_was_taken_by_another", item_id=str(taken.item_id))

    async def _put_back(self, taken: Taken, again: Again) -> None:
        due_at = self._utcnow() + timedelta(seconds=again.wait_s)
        back = partial(book.put_back, error=again.error, is_fault=again.is_fault)
        if again.pauses:
            await self._decided(book.pause, taken.batch_id, again.error["message"])
        await self._decided(back, taken, due_at)

    async def _decided(self, decide: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Wait for a database that is away for a while: an answer that is here is paid for."""
        for _ in range(_PATIENCE):
            try:
                return await in_thread(decide, *args, **kwargs)
            except OperationalError as fault:
                logger.warning("batch_waits_for_the_database", fault=type(fault).__name__)
                await self._sleep(LOOK_S)
        return await in_thread(decide, *args, **kwargs)

    def _cancel(self) -> None:
        for task in self._asking:
            task.cancel()

    async def _break_off(self) -> None:
        self._cancel()
        while self._asking:
            await self._wait(_RENEW_S)
