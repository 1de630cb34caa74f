"""One run from its first line to its last: the answer is opened, logged, and concluded."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import structlog

from conversations.models import RunState
from conversations.runs import book, steps
from conversations.runs.book import Ending, Order
from conversations.runs.events import Kind
from conversations.runs.journal import Journal
from conversations.runs.ports import Figures, OpenAnswer
from conversations.threads import in_thread
from providers.engine.errors import EngineError, RequestRejected
from providers.engine.events import (
    Citation,
    Citations,
    Event,
    Finish,
    Notice,
    ReasoningDelta,
    Safety,
    Start,
    TextDelta,
)

logger = structlog.get_logger(__name__)
Line = tuple[Kind, dict[str, Any]]


class Driver:
    """`stop` may be called at any time and any number of times; the first reason counts."""

    def __init__(
        self,
        order: Order,
        open_answer: OpenAnswer,
        journal: Journal,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.order = order
        self.journal = journal
        self._open_answer = open_answer
        self._now = now
        self._stopped: asyncio.Future[RunState] = asyncio.get_running_loop().create_future()
        self._began = now()
        self._figures: Figures | None = None
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._ending = Ending(RunState.DONE)
        self._is_new_step = False

    def stop(self, state: RunState) -> None:
        if not self._stopped.done():
            self.journal.say(Kind.STATUS, {"phase": "stopping"})
            self._stopped.set_result(state)

    async def drive(self) -> None:
        """Return when everything is written. A run that another process ended is left alone.

        Whatever happens, who follows it hears of an end.
        """
        try:
            await self._drive()
        finally:
            lost = {"code": "interrupted", "message": book.INTERRUPTED}
            self.journal.abandon(Kind.ERROR, lost)

    async def _drive(self) -> None:
        self.journal.say(Kind.STATUS, {"phase": "waiting"})
        for notice in self.order.notices:
            self._tell(notice)
        reading = asyncio.create_task(self._read())
        writing = asyncio.create_task(self.journal.write_on())
        try:
            await asyncio.wait(
                (reading, writing, self._stopped), return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            # Leaving the answer closes the upstream and books what was streamed.
            reading.cancel()
            await asyncio.wait((reading,))
            self.journal.close()
            await asyncio.wait((writing,))
        self._judge(reading, writing)
        await self._conclude()

    async def _read(self) -> None:
        async with self._open_answer(self.order.request, self.order.caller) as answer:
            self._figures = answer.call
            self._ending.answered_by = answer.deployment.name
            self._ending.is_fallback = answer.is_fallback
            async for event in answer.events:
                self._take(event)

    def _take(self, event: Event) -> None:
        match event:
            case Start(deployment, attempt):
                self.journal.say(Kind.START, self._start(deployment, attempt))
            case TextDelta(text):
                self._write(Kind.TEXT, self._text, steps.storable(text))
            case ReasoningDelta(text) if text:
                self._write(Kind.REASONING, self._reasoning, steps.storable(text))
            case Notice(kind, message):
                self._tell({"kind": kind.value, "message": message})
            case Safety(_, message):
                self._tell({"kind": "safety", "message": message})
            case Citations(items):
                self._cite(items)
            case Finish(reason, stopped_by):
                self._ending.finish_reason = reason.value
                self._ending.stopped_by = stopped_by or ""
            case _:
                self._take_step(event)

    def _take_step(self, event: Event) -> None:
        """Log what a tool loop does; other events have nothing to show."""
        line = steps.line_of(event)
        if line is None:
            return
        kind, data = line
        self._ending.steps.append({"kind": kind, **data})
        self.journal.say(kind, data)
        if kind is Kind.STEP:
            self._is_new_step = True

    def _cite(self, items: Sequence[Citation]) -> None:
        found = [{"url": each.url, "title": each.title, "quoted": each.quoted} for each in items]
        self._ending.citations += found
        self.journal.say(Kind.CITATIONS, {"items": found})

    def _start(self, deployment: str, attempt: int) -> dict[str, Any]:
        return {
            "asked": self.order.request.route,
            "answering": deployment,
            "attempt": attempt,
            "is_fallback": self._ending.is_fallback,
        }

    def _tell(self, notice: dict[str, str]) -> None:
        self._ending.notices.append(notice)
        self.journal.say(Kind.NOTICE, notice)

    def _write(self, kind: Kind, so_far: list[str], text: str) -> None:
        if self._ending.ttft_ms is None:
            self._ending.ttft_ms = self._elapsed_ms()
        if self._is_new_step and kind is Kind.TEXT:
            # What a later step says does not go on in the sentence of the one before.
            text = f"\n\n{text}" if so_far else text
            self._is_new_step = False
        so_far.append(text)
        self.journal.say(kind, {"text": text})

    def _judge(self, reading: asyncio.Task[None], writing: asyncio.Task[None]) -> None:
        """Say how it ended. A bug is logged here, since nobody awaits a run."""
        self._ending.duration_ms = self._elapsed_ms()
        unwritten = writing.exception()
        if unwritten is not None:
            logger.error("run_log_failed", run_id=str(self.order.run_id), exc_info=unwritten)
        if self._ending.finish_reason:
            return
        error = None if reading.cancelled() else reading.exception()
        if isinstance(error, EngineError):
            self._fail(error.code, error.message, charged=_charged(error, self._text))
        elif error is not None or not self._stopped.done():
            logger.error("run_failed", run_id=str(self.order.run_id), exc_info=error)
            self._fail("internal_error", "Something went wrong on our side.", charged="unknown")
        else:
            self._end_early(self._stopped.result())

    def _end_early(self, state: RunState) -> None:
        self._ending.state = state
        if state is RunState.INTERRUPTED:
            self._ending.error = {"code": "interrupted", "message": book.INTERRUPTED}

    def _fail(self, code: str, message: str, *, charged: str) -> None:
        self._ending.state = RunState.FAILED
        self._ending.error = {"code": code, "message": message, "charged": charged}

    async def _conclude(self) -> None:
        ending = self._ending
        ending.text = "".join(self._text)
        ending.reasoning = "".join(self._reasoning)
        self._count()
        last = self.journal.numbered([(Kind.USAGE, _usage(ending)), _terminal(ending)])
        if await in_thread(book.conclude, self.order, ending, last):
            self.journal.publish(last)

    def _count(self) -> None:
        usage = self._figures.usage if self._figures else None
        if usage is not None:
            self._ending.input_tokens = usage.input_tokens
            self._ending.output_tokens = usage.output_tokens
            self._ending.is_estimated = usage.estimated
        if self._figures is not None:
            self._ending.cost_nano = self._figures.cost_nano

    def _elapsed_ms(self) -> int:
        return round((self._now() - self._began) * 1000)


def _charged(error: EngineError, text: list[str]) -> str:
    """`no`, or `maybe` when a provider may have counted something."""
    refused = isinstance(error, RequestRejected) and not text
    return "no" if refused else "maybe"


def _usage(ending: Ending) -> dict[str, Any]:
    return {
        "input_tokens": ending.input_tokens,
        "output_tokens": ending.output_tokens,
        "is_estimated": ending.is_estimated,
        "cost_nano": ending.cost_nano,
        "ttft_ms": ending.ttft_ms,
        "duration_ms": ending.duration_ms,
    }


def _terminal(ending: Ending) -> Line:
    if ending.error is not None:
        return Kind.ERROR, ending.error
    return Kind.FINISH, {"reason": ending.finish_reason or ending.state.value}
