"""The last step: open the adapter, wait until the answer commits, keep the attempt's record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
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
from providers.engine.ports import Now, Opener, Secrets, UtcNow
from providers.engine.routes import Deployment
from providers.engine.usage import Usage, estimated

Ended = Callable[[Call, AttemptRecord], None]
InputBound = Callable[[Call, Deployment], int]
"""Tokens that the prompt can have at most at this deployment."""
_COMMITTING = (*CONTENT, Finish)


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Every try that reaches an adapter has a record in the call's journal, however it ends."""

    adapters: Mapping[str, Opener]
    secrets: Secrets
    now: Now
    utcnow: UtcNow
    input_bound: InputBound
    ended: Ended

    @asynccontextmanager
    async def open(self, attempt: Attempt) -> AsyncGenerator[Stream]:
        deployment = attempt.deployment
        secret = await self.secrets.open(deployment, attempt.credential)
        progress = _Progress(attempt, self._new_record(attempt), self.now)
        adapter = self.adapters[deployment.kind]
        patience = asyncio.timeout(self._patience_s(attempt))
        try:
            async with (
                patience,
                adapter.open(attempt, secret) as reply,
                aclosing(reply.events) as source,
            ):
                progress.reply = reply
                opening = await progress.until_committed(source)
                patience.reschedule(None)
                async with aclosing(progress.follow(opening, source)) as events:
                    yield Stream(deployment, progress.record, events, reply.frames)
        except BaseException as error:
            if isinstance(error, TimeoutError) and patience.expired():
                late = UpstreamTimeout(f"{deployment.name} did not begin to answer in time.")
                progress.fail(late)
                raise late from error
            progress.fail(error)
            raise
        finally:
            progress.close()
            self.ended(attempt.call, progress.record)

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

    async def until_committed(self, source: AsyncGenerator[Event, None]) -> list[Event]:
        """Read up to the first content event; until then nobody has seen anything."""
        opening: list[Event] = []
        async for event in source:
            opening.extend(self._told(event))
            if isinstance(event, _COMMITTING):
                return opening
        raise self._cut()

    async def follow(
        self, opening: list[Event], source: AsyncGenerator[Event, None]
    ) -> AsyncGenerator[Event, None]:
        """Pass every event on; raise StreamCut where an adapter ends without `Finish`."""
        for event in opening:
            yield event
        if self.record.status is AttemptStatus.OK:
            return
        try:
            async for event in source:
                for told in self._told(event):
                    yield told
                if isinstance(event, Finish):
                    return
            raise self._cut()
        except UpstreamError as error:
            self.fail(error)
            raise

    def _told(self, event: Event) -> tuple[Event, ...]:
        """Note it, and tell what of it is for the reader: usage once, with the end."""
        if isinstance(event, UsageReported):
            self._said = event.usage
            self.record.share_nano = event.cost_nano
            return ()
        if isinstance(event, Finish):
            usage = self.record.usage = self._said or self._estimate()
            self._end(AttemptStatus.OK)
            return (UsageReported(usage), event)
        self._count(event)
        return (event,)

    def _cut(self) -> StreamCut:
        name = self.attempt.deployment.name
        return StreamCut(f"{name} stopped before the end of its answer.")

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
