"""The events of an answer as `gai.events.v1`, in SSE or NDJSON."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from django.utils import timezone
from structlog import get_logger

from providers import gateway
from providers.engine.call import Answer, Caller
from providers.engine.events import Event
from providers.engine.events_v1 import Record, Scribe, ndjson, records, sse
from providers.engine.preceded import Preceded
from providers.engine.request import CompletionRequest
from providers.event_stream import PING, EventStreamResponse, beating
from providers.headers import of_budget, of_hit, of_level
from providers.tracing import trace_of

log = get_logger(__name__)

SSE, NDJSON = "text/event-stream", "application/x-ndjson"


@dataclass(slots=True)
class Streamed:
    """One answer on its way to who asked. `sleep` None: no pings, for lines have no comments."""

    wanted: CompletionRequest
    caller: Caller
    sleep: Callable[[float], Awaitable[object]] | None = asyncio.sleep
    _answer: Answer | None = field(default=None, init=False)

    async def response(self) -> EventStreamResponse:
        """Raise EngineError before there is a status line, for as long as a ping can wait.

        Later it is the stream's last record, and what the headers would say is told by notices.
        """
        events = self._heard()
        first = await anext(events)
        response = await EventStreamResponse.open(
            self._records(first, events),
            render=self._render,
            content_type=NDJSON if self.sleep is None else SSE,
            # Nobody comes back by itself to what was posted.
            retry_ms=None,
        )
        for name, value in self._headers().items():
            response[name] = value
        return response

    def _heard(self) -> AsyncGenerator[Event | None]:
        events = self._events()
        return events if self.sleep is None else beating(events, sleep=self.sleep)

    async def _events(self) -> AsyncGenerator[Event | None]:
        stack = AsyncExitStack()
        try:
            opened = gateway.open_answer(self.wanted, self.caller)
            self._answer = await stack.enter_async_context(opened)
            async for event in self._answer.events:
                yield event
        finally:
            await stack.aclose()

    async def _records(
        self, first: Event | None, events: AsyncGenerator[Event | None]
    ) -> AsyncGenerator[Record | None]:
        """End with one terminal record; closing it early leaves the answer, which settles."""
        scribe = Scribe(self.wanted.id, timezone.now, trace_of(self.wanted.traceparent))

        def lost(bug: Exception) -> None:
            log.error("answer_broken", request_id=str(self.wanted.id), exc_info=bug)

        try:
            async for record in records(Preceded((first,), events), scribe, lost):
                yield record
            # Left at its end, and not broken off after its last event.
            async for _ in events:
                pass
        finally:
            await events.aclose()

    def _render(self, record: Record | None) -> bytes:
        if record is None:
            return PING
        return ndjson(record) if self.sleep is None else sse(record)

    def _headers(self) -> dict[str, str]:
        if self._answer is None:
            return {}
        call = self._answer.call
        told = of_level(call.worst_level) | of_hit(self._answer.hit)
        return told | of_budget(call.cheaper_route)
