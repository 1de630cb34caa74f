"""The last step: open the adapter, wait until the answer commits, keep the attempt's record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, replace

from providers.engine.call import (
    Attempt,
    AttemptRecord,
    AttemptStatus,
    Call,
    Reply,
    Stream,
    output_bound,
)
from providers.engine.errors import (
    Cancelled,
    EngineError,
    StreamCut,
    UpstreamError,
    UpstreamTimeout,
)
from providers.engine.events import (
    CONTENT,
    Event,
    Finish,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    UsageReported,
)
from providers.engine.ports import Adapter, Now, Secrets, UtcNow
from providers.engine.routes import Deployment
from providers.engine.usage import Usage, estimated

Ended = Callable[[Call, AttemptRecord], None]
InputBound = Callable[[Call, Deployment], int]
"""Tokens that the prompt can have at most at this deployment."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Every try that reaches an adapter has a record in the call's journal, however it ends."""

    adapters: Mapping[str, Adapter]
    secrets: Secrets
    now: Now
    utcnow: UtcNow
    input_bound: InputBound
    ended: Ended

    @asynccontextmanager
    async def open(self, attempt: Attempt) -> AsyncGenerator[Stream]:
        deployment = attempt.deployment
        secret = await self.secrets.secret_for(deployment, attempt.call.caller)
        progress = _Progress(attempt, self._new_record(attempt), self.now)
        try:
            async with AsyncExitStack() as stack:
                reply, events = await self._committed(stack, attempt, secret, progress)
                yield Stream(deployment, progress.record, events, reply.frames)
        except BaseException as error:
            progress.fail(error)
            raise
        finally:
            progress.close()
            self.ended(attempt.call, progress.record)

    async def _committed(
        self, stack: AsyncExitStack, attempt: Attempt, secret: str | None, progress: _Progress
    ) -> tuple[Reply, AsyncGenerator[Event, None]]:
        """Return with the first content event; until then nobody has seen anything."""
        adapter = self.adapters[attempt.deployment.kind]
        try:
            async with asyncio.timeout(self._patience_s(attempt)):
                reply = await stack.enter_async_context(adapter.open(attempt, secret))
                progress.reply = reply
                await stack.enter_async_context(aclosing(reply.events))
                events = await stack.enter_async_context(aclosing(progress.follow(reply)))
                opening = [await anext(events)]
                while not isinstance(opening[-1], (*CONTENT, Finish)):
                    opening.append(await anext(events))
        except TimeoutError as error:
            raise UpstreamTimeout(
                f"{attempt.deployment.name} did not begin to answer in time."
            ) from error
        whole = _joined(opening, events)
        return reply, await stack.enter_async_context(aclosing(whole))

    def _patience_s(self, attempt: Attempt) -> float:
        deployment = attempt.deployment
        wanted = (
            deployment.first_token_timeout_s
            if attempt.call.request.stream
            else deployment.total_timeout_s
        )
        return min(wanted, attempt.deadline - self.now())

    def _new_record(self, attempt: Attempt) -> AttemptRecord:
        call = attempt.call
        record = AttemptRecord(
            number=len(call.attempts) + 1,
            deployment=attempt.deployment,
            started_at=self.utcnow(),
            input_bound=self.input_bound(call, attempt.deployment),
        )
        call.attempts.append(record)
        return record


class _Progress:
    """Writes one attempt's record while its answer is read."""

    def __init__(self, attempt: Attempt, record: AttemptRecord, now: Now) -> None:
        self.attempt = attempt
        self.record = record
        self.reply: Reply | None = None
        self._now = now
        self._began = now()
        self._said: Usage | None = None
        self._committed = False
        self._streamed_bytes = 0

    async def follow(self, reply: Reply) -> AsyncGenerator[Event, None]:
        """Pass every event on; raise StreamCut where an adapter ends without `Finish`."""
        try:
            async for event in reply.events:
                if isinstance(event, UsageReported):
                    self._said = event.usage
                    self.record.share_nano = event.cost_nano
                    continue
                if isinstance(event, Finish):
                    self.record.usage = self._said or self._estimate()
                    self._end(AttemptStatus.OK)
                    yield UsageReported(self.record.usage)
                    yield event
                    return
                self._count(event)
                yield event
            raise StreamCut(f"{self.attempt.deployment.name} stopped before the end of its answer.")
        except UpstreamError as error:
            self.fail(error)
            raise

    def fail(self, error: BaseException) -> None:
        """Note why it ended; the first reason stands."""
        record = self.record
        if record.status is not AttemptStatus.PENDING:
            return
        if isinstance(error, UpstreamError):
            record.failure = error
            record.http_status = error.status
            record.upstream_request_id = error.upstream_request_id
            record.may_be_billed = error.may_be_billed
        if isinstance(error, EngineError):
            record.error_code = error.code
            self._end(AttemptStatus.CUT if self._committed else AttemptStatus.FAILED)
        elif self._committed or not isinstance(error, Exception):
            self._cancelled()
        else:
            # A bug of ours: let it rise, and let the journal say that there was an attempt.
            record.error_code = EngineError.code
            self._end(AttemptStatus.FAILED)

    def close(self) -> None:
        """Fill in what is left; a stream that was left early is the reader's doing."""
        record = self.record
        if record.status is AttemptStatus.PENDING:
            self._cancelled()
        if self.reply is not None:
            record.http_status = record.http_status or self.reply.http_status
            record.upstream_request_id = (
                record.upstream_request_id or self.reply.upstream_request_id
            )
        if record.usage is None and record.may_be_billed:
            record.usage = self._best_known()

    def _cancelled(self) -> None:
        # A step above that ended it early has said why.
        self.record.error_code = self.record.error_code or Cancelled.code
        self.record.may_be_billed = True
        self._end(AttemptStatus.CANCELLED)

    def _end(self, status: AttemptStatus) -> None:
        self.record.status = status
        self.record.duration_ms = self._elapsed_ms()
        if self._committed:
            self.record.may_be_billed = True

    def _count(self, event: Event) -> None:
        if isinstance(event, (TextDelta, ReasoningDelta)):
            text = event.text
        elif isinstance(event, ToolCallDelta):
            text = event.arguments
        else:
            return
        self._streamed_bytes += len(text) if text.isascii() else len(text.encode())
        if not self._committed:
            self._committed = True
            self.record.ttft_ms = self._elapsed_ms()

    def _elapsed_ms(self) -> int:
        return round((self._now() - self._began) * 1000)

    def _best_known(self) -> Usage:
        """Take what the provider said so far, and for its output at least what came through."""
        guess = self._estimate()
        if self._said is None:
            return guess
        output = max(self._said.output_tokens, guess.output_tokens)
        return replace(
            self._said,
            output_tokens=output,
            estimated=True,
            estimated_figures=("output_tokens",),
        )

    def _estimate(self) -> Usage:
        call = self.attempt.call
        return estimated(
            input_bound=self.record.input_bound,
            output_bytes=self._streamed_bytes,
            output_bound=output_bound(call.request, self.attempt.deployment),
        )


async def _joined(
    opening: list[Event], rest: AsyncGenerator[Event, None]
) -> AsyncGenerator[Event, None]:
    for event in opening:
        yield event
    async for event in rest:
        yield event
