"""What carries a request to a provider: a port, so that tests answer without a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from yarl import URL


@dataclass(frozen=True, slots=True)
class Request:
    """`body` None: it has none. `connect_timeout_s`: for the socket and its TLS."""

    method: str
    url: URL
    headers: Mapping[str, str]
    body: bytes | None
    connect_timeout_s: float


@dataclass(frozen=True, slots=True)
class Response:
    """Status and headers are here. Names of headers are found in any case.

    `pieces` are decompressed; they raise what `send` does. `close` also where they were not read
    to the end.
    """

    status: int
    headers: Mapping[str, str]
    pieces: AsyncIterator[bytes]
    close: Callable[[], Awaitable[None]]


class Transport(Protocol):
    async def send(self, request: Request) -> Response:
        """Raise TimeoutError, OSError or aiohttp's ClientError, or UpstreamError."""
        ...
