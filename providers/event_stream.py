"""Server-sent events out of Django: one response for every stream of the pages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from enum import Enum, auto
from typing import Any, Generic, TypeVar

import orjson
from asgiref.sync import sync_to_async
from django.db import connections
from django.http import StreamingHttpResponse

PING = b": ping\n\n"
KEEP_ALIVE_S = 15.0
"""Proxies close a silent stream, some after 30 seconds."""

_SSE = "text/event-stream"
LONGEST_NUMBER = 9
T = TypeVar("T")


def frame(event: str, data: Any, *, number: int | None = None) -> bytes:
    """One event; `number` is what a client sends back as Last-Event-ID."""
    head = f"id: {number}\n" if number is not None else ""
    return f"{head}event: {event}\ndata: ".encode() + orjson.dumps(data) + b"\n\n"


def last_event_id(header: str | None) -> int | None:
    """None: the client is new, or sent something that is no number of ours."""
    if not header or len(header) > LONGEST_NUMBER:
        return None
    return int(header) if header.isascii() and header.isdigit() else None


class _Said(Enum):
    ALL = auto()


async def beating(
    events: AsyncGenerator[T],
    every_s: float = KEEP_ALIVE_S,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> AsyncGenerator[T | None]:
    """Yield `events`, and None every `every_s` seconds while there is none: then a ping is due.

    One task reads them all, since an answer may only be left where it was opened; it reads the
    next when this one was taken. Closing this closes them.
    """
    heard: asyncio.Queue[T | _Said | None] = asyncio.Queue()

    async def read() -> None:
        async with aclosing(events):
            async for event in events:
                heard.put_nowait(event)
                await heard.join()

    async def beat() -> None:
        while True:
            await sleep(every_s)
            if heard.empty():
                heard.put_nowait(None)

    reading, pulse = asyncio.create_task(read()), asyncio.create_task(beat())
    reading.add_done_callback(lambda _: heard.put_nowait(_Said.ALL))
    try:
        while not isinstance(event := await heard.get(), _Said):
            yield event
            heard.task_done()
        await reading
    finally:
        pulse.cancel()
        reading.cancel()
        await asyncio.gather(pulse, reading, return_exceptions=True)


class EventStreamResponse(StreamingHttpResponse):
    """Frames from a generator that has opened already, and is closed however the client leaves.

    Stock `StreamingHttpResponse` leaves its generator to the garbage collector when the client
    hangs up while the server is blocked in `send`. `retry_ms` is what a client waits before it
    comes back.
    """

    def __init__(self, frames: Frames[Any], content_type: str = _SSE) -> None:
        self._frames = frames
        super().__init__(frames, content_type=content_type)
        self["Cache-Control"] = "no-cache, no-transform"
        self["X-Accel-Buffering"] = "no"
        # A compressing middleware or proxy would hold the events back.
        self["Content-Encoding"] = "identity"

    @classmethod
    async def open(
        cls,
        events: AsyncGenerator[T],
        *,
        render: Callable[[T], bytes],
        retry_ms: int | None = 1000,
        content_type: str = _SSE,
    ) -> EventStreamResponse:
        """Wait for the first event, so that a refusal rises before there is a status line."""
        head = b"" if retry_ms is None else f"retry: {retry_ms}\n\n".encode()
        try:
            with suppress(StopAsyncIteration):
                head += render(await anext(events))
            await sync_to_async(_give_connections_back)()
        except BaseException:
            await events.aclose()
            raise
        return cls(Frames(head, events, render), content_type)

    def __aiter__(self) -> AsyncIterator[bytes]:
        # Django closes what this returns, which is not so for what lies behind the stock one.
        return self._frames


class Frames(Generic[T]):
    """`head`, then the rendered `events`, which close with it."""

    def __init__(
        self, head: bytes, events: AsyncGenerator[T], render: Callable[[T], bytes]
    ) -> None:
        self._head = head
        self._events = events
        self._render = render

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        head, self._head = self._head, b""
        return head or self._render(await anext(self._events))

    async def aclose(self) -> None:
        await self._events.aclose()


def _give_connections_back() -> None:
    """In the request's own thread: a proxy taken in the loop would be another thread's."""
    connections.close_all()
