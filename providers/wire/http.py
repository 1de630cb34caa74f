"""As much of HTTP as `/v1` needs, straight on ASGI."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson

from providers.engine.errors import BodyTooLarge

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

JSON = (b"content-type", b"application/json")
_EXPOSED = (
    b"x-request-id, x-should-retry, retry-after, idempotent-replayed, "
    b"x-gai-provider, x-gai-deployment, "
    b"x-gai-attempts, x-gai-fallback, x-gai-cost-usd, x-gai-receipt, "
    b"x-gai-cache, x-gai-degradation, x-gai-budget, "
    b"x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests, "
    b"x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens"
)


class CallerGone(Exception):
    """The connection closed before the whole request had come."""


@dataclass(slots=True)
class Exchange:
    """One request and its answer. `id` is the request's everywhere: header, ledger, log."""

    scope: Scope
    receive: Receive
    send: Send
    id: UUID
    is_started: bool = field(default=False)

    def header(self, name: bytes) -> str:
        """Answer its value; empty when there is none."""
        for key, value in self.scope["headers"]:
            if key == name:
                return str(value, "latin-1")
        return ""

    async def body(self, limit: int) -> bytes:
        """Read it whole. Raises BodyTooLarge above `limit` bytes, CallerGone."""
        announced = self.header(b"content-length")
        if announced.isdecimal() and int(announced) > limit:
            raise _too_large(limit)
        message = await self.receive()
        if not message.get("more_body", False) and message["type"] == "http.request":
            return _within(message.get("body", b""), limit)
        parts = bytearray()
        while message["type"] == "http.request":
            parts += message.get("body", b"")
            if len(parts) > limit:
                raise _too_large(limit)
            if not message.get("more_body", False):
                return bytes(parts)
            message = await self.receive()
        raise CallerGone

    async def gone(self) -> None:
        """Return when the caller has hung up; only after the body was read."""
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def start(self, status: int, headers: Headers) -> None:
        self.is_started = True
        own = [
            (b"x-request-id", str(self.id).encode()),
            (b"access-control-allow-origin", b"*"),
            (b"access-control-expose-headers", _EXPOSED),
        ]
        await self.send({"type": "http.response.start", "status": status, "headers": own + headers})

    async def write(self, body: bytes, *, more: bool = True) -> None:
        await self.send({"type": "http.response.body", "body": body, "more_body": more})

    async def json(self, status: int, value: object, headers: Headers) -> None:
        await self.send_json(status, orjson.dumps(value), headers)

    async def send_json(self, status: int, body: bytes, headers: Headers) -> None:
        length = (b"content-length", str(len(body)).encode())
        await self.start(status, [JSON, length, *headers])
        await self.write(body, more=False)


def encoded(headers: Mapping[str, str]) -> Headers:
    return [(name.encode(), value.encode()) for name, value in headers.items()]


def _within(body: bytes, limit: int) -> bytes:
    if len(body) > limit:
        raise _too_large(limit)
    return body


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"The body is larger than {limit // 1024:,} KiB. Send less.")


class Heart:
    """Keep-alive comments in a stream while nothing else is written.

    Proxies close a silent stream, some after 30 seconds; clients ignore comments.
    """

    COMMENT = b": keep-alive\n\n"

    def __init__(self, exchange: Exchange, every_s: float) -> None:
        self._exchange = exchange
        self._every_s = every_s
        self._loop = asyncio.get_running_loop()
        self._wrote_at = self._loop.time()
        self._beat: asyncio.Task[None] | None = None
        self._timer = self._loop.call_later(every_s, self._due)

    async def write(self, body: bytes) -> None:
        self._wrote_at = self._loop.time()
        await self._exchange.write(body)

    def stop(self) -> None:
        self._timer.cancel()
        if self._beat is not None:
            self._beat.cancel()

    def _due(self) -> None:
        silent_s = self._loop.time() - self._wrote_at
        if silent_s >= self._every_s:
            silent_s = 0.0
            # One that still waits for a slow reader is enough.
            if self._beat is None or self._beat.done():
                self._beat = self._loop.create_task(self.write(self.COMMENT))
        self._timer = self._loop.call_later(self._every_s - silent_s, self._due)
