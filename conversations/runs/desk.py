"""The runs of this process: begun, followed, stopped, drained."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from typing import Any, TypeVar
from uuid import UUID

import structlog
from django.utils import timezone

from conversations.attachments import Picture
from conversations.models import Conversation, Run, RunState
from conversations.runs import book, reaper
from conversations.runs.book import Order, Question
from conversations.runs.driver import Driver
from conversations.runs.events import LogEvent
from conversations.runs.journal import Journal
from conversations.runs.keeper import Keeper
from conversations.runs.log import RunLog
from conversations.runs.ports import OpenAnswer
from conversations.runs.tail import Tail
from conversations.threads import in_thread

logger = structlog.get_logger(__name__)
T = TypeVar("T")


class Desk:
    """One for each event loop. A run is a task of the loop, not of the request that began it."""

    def __init__(self, open_answer: OpenAnswer, log: RunLog) -> None:
        self.process = secrets.randbits(62)
        self._open_answer = open_answer
        self._log = log
        self._drivers: dict[UUID, Driver] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._keeper = Keeper(self.process, self._drivers.keys, self._stop)

    async def open(self) -> None:
        """Take this process's place and end the runs of those that are gone."""
        await self._keeper.open()
        await in_thread(reaper.reap, timezone.now(), living=self.process)
        self._keeping = asyncio.create_task(self._keeper.keep())

    async def start(
        self, conversation: Conversation, text: str, pictures: Sequence[Picture] = ()
    ) -> UUID:
        """Ask; answer the run's id. Raises RunRefused."""
        asked = Question(text, tuple(pictures))
        return await self._held(self._begin(book.begin, conversation, asked))

    async def retry(self, conversation: Conversation, message_id: UUID) -> UUID:
        """Answer again what `message_id` answered. Raises RunRefused."""
        return await self._held(self._begin(book.begin_again, conversation, message_id))

    async def stop(self, run: Run) -> None:
        """Any process may ask; the one that drives the run hears of it within half a second."""
        if await in_thread(book.ask_to_stop, run):
            self._stop(run.id)

    def tail(self, run_id: UUID, after: int | None) -> AsyncGenerator[LogEvent | None]:
        """See `Tail.follow`."""
        driver = self._drivers.get(run_id)
        return Tail(run_id, self._log, driver.journal if driver else None).follow(after)

    async def aclose(self, limit_s: float) -> None:
        """Let the runs end by themselves for a while, then interrupt and settle them."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=limit_s)
        for driver in self._drivers.values():
            driver.stop(RunState.INTERRUPTED)
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._keeping.cancel()
        await asyncio.wait((self._keeping,))
        await self._keeper.aclose()
        await self._log.aclose()

    def _stop(self, run_id: UUID) -> None:
        driver = self._drivers.get(run_id)
        if driver is not None:
            driver.stop(RunState.STOPPED)

    async def _begin(
        self, begin: Callable[[Conversation, T, int], Order], conversation: Conversation, what: T
    ) -> UUID:
        order = await in_thread(begin, conversation, what, self.process)
        driver = Driver(order, self._open_answer, Journal(order.run_id, self._log))
        self._drivers[order.run_id] = driver
        self._hold(self._drive(driver))
        return order.run_id

    async def _drive(self, driver: Driver) -> None:
        try:
            await driver.drive()
        finally:
            del self._drivers[driver.order.run_id]

    async def _held(self, beginning: Coroutine[Any, Any, UUID]) -> UUID:
        """Shielded: a caller who leaves here must not leave a run that nobody drives."""
        return await asyncio.shield(self._hold(beginning))

    def _hold(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        # The loop itself keeps only weak references to tasks.
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, book.RunRefused):
            logger.error("run_lost", exc_info=error)
