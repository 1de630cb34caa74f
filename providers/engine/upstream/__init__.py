"""The one HTTP client: pooled, guarded, and the only importer of its libraries."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Generator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from weakref import WeakKeyDictionary

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver

from providers.engine.addresses import is_literal, may_reach
from providers.engine.errors import (
    StreamCut,
    UpstreamError,
    UpstreamGarbled,
    UpstreamMisconfigured,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from providers.engine.patience import Patience
from providers.engine.routes import Deployment
from providers.engine.upstream.pool import Idle, Pool, refused

_SILENCES = (httpx.ReadTimeout, TimeoutError, aiohttp.SocketTimeoutError)
_FAILURES = (httpx.HTTPError, httpx.StreamError, aiohttp.ClientError, OSError)
_BROKEN = (*_SILENCES, *_FAILURES)
_PIECE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One request. `body` None makes it a GET. Secrets belong into `headers`, never the path."""

    deployment: Deployment
    path: str
    headers: Mapping[str, str]
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Incoming:
    """Status and headers are here, the body is still coming. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: AsyncGenerator[bytes, None]

    async def read(self) -> bytes:
        return b"".join([chunk async for chunk in self.body])

    @property
    def is_json(self) -> bool:
        return "json" in self.headers.get("content-type", "")


@dataclass(kw_only=True)
class Upstream:
    """Connections live no longer than the loop that uses them; `aclose` in each such loop.

    A name is resolved once and its addresses are checked before a socket is opened to them.
    Behind a proxy of the environment that is the proxy's to do: only literal addresses are
    checked here. A `transport` given from outside replaces all of it, for tests.
    `local_headers` are added to what goes to a local provider, and to no other.
    """

    transport: httpx.AsyncBaseTransport | None = None
    resolver: AbstractResolver | None = None
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    most_response_bytes: int = 64 * 1024 * 1024
    idle: Idle = field(default_factory=Idle)
    local_headers: Callable[[], Mapping[str, str]] = dict

    def __post_init__(self) -> None:
        self._pools: WeakKeyDictionary[asyncio.AbstractEventLoop, Pool] = WeakKeyDictionary()

    @asynccontextmanager
    async def send(self, outgoing: Outgoing) -> AsyncGenerator[Incoming]:
        """Answer when status and headers are here. Leaving it early closes the connection.

        Redirects are refused: a key goes to its own host and to no other.
        Raises UpstreamError.
        """
        request = _request(outgoing, self._more_headers(outgoing.deployment))
        name = outgoing.deployment.name
        transport = self._transport_for(outgoing.deployment, request.url)
        with _before_headers(name):
            response = await transport.handle_async_request(request)
        try:
            if 300 <= response.status_code < 400:
                raise UpstreamMisconfigured(
                    f"{name} redirects elsewhere; redirects are refused.",
                    status=response.status_code,
                )
            async with aclosing(self._chunks(response, outgoing.deployment)) as body:
                yield Incoming(response.status_code, _headers(response), body)
        finally:
            await _close(response)

    async def fetch(self, outgoing: Outgoing) -> tuple[Incoming, bytes]:
        """Send and read it whole, within the deployment's total time."""
        try:
            async with (
                asyncio.timeout(outgoing.deployment.total_timeout_s),
                self.send(outgoing) as incoming,
            ):
                return incoming, await incoming.read()
        except TimeoutError as error:
            raise UpstreamTimeout(f"{outgoing.deployment.name} did not answer in time.") from error

    async def aclose(self) -> None:
        """Close what the running loop has opened; a later request opens anew."""
        pool = self._pools.pop(asyncio.get_running_loop(), None)
        if pool is not None:
            await pool.aclose()

    def _more_headers(self, deployment: Deployment) -> Mapping[str, str]:
        return self.local_headers() if deployment.is_local else {}

    async def _chunks(
        self, response: httpx.Response, deployment: Deployment
    ) -> AsyncGenerator[bytes, None]:
        chunks = aiter(_decompressed(response))
        name = deployment.name
        patience = Patience(deployment.idle_timeout_s)
        received = 0
        try:
            while True:
                try:
                    chunk = await patience.next(chunks)
                except _BROKEN as error:
                    raise _broken(name, error) from error
                if chunk is None:
                    return
                received += len(chunk)
                if received > self.most_response_bytes:
                    raise UpstreamGarbled(
                        f"{name} sent more than {self.most_response_bytes:,} bytes."
                    )
                yield chunk
        finally:
            patience.close()

    def _transport_for(self, deployment: Deployment, url: httpx.URL) -> httpx.AsyncBaseTransport:
        if is_literal(url.host) and not may_reach(url.host, is_local=deployment.is_local):
            raise refused(deployment.name)
        if self.transport is not None:
            return self.transport
        loop = asyncio.get_running_loop()
        if loop not in self._pools:
            self._pools[loop] = Pool(self.resolver, self.environ, self.idle)
        return self._pools[loop].transport(url, is_local=deployment.is_local)


def _request(outgoing: Outgoing, more: Mapping[str, str]) -> httpx.Request:
    deployment = outgoing.deployment
    try:
        url = _url(deployment.base_url, outgoing.path)
    except httpx.InvalidURL as error:
        raise UpstreamMisconfigured(f"{deployment.name} has no valid base URL.") from error
    headers = {"user-agent": "gaiweb", **more, **outgoing.headers}
    body = outgoing.body
    if body is not None and len(body) > _PIECE_BYTES:
        headers["content-length"] = str(len(body))
    return httpx.Request(
        "GET" if body is None else "POST",
        url,
        headers=headers,
        content=body if body is None or len(body) <= _PIECE_BYTES else _pieces(body),
        extensions={"timeout": {"connect": deployment.connect_timeout_s}},
    )


def _decompressed(response: httpx.Response) -> AsyncIterable[bytes]:
    """Take the bare stream where nothing is compressed: httpx's own iterators cost more than it."""
    stream = response.stream
    if "content-encoding" in response.headers or not isinstance(stream, httpx.AsyncByteStream):
        return response.aiter_bytes()
    return stream


@lru_cache(maxsize=512)
def _url(base_url: str, path: str) -> httpx.URL:
    """Parse it once: that is a tenth of a short call. Raises InvalidURL."""
    url = httpx.URL(base_url.rstrip("/") + path)
    if url.scheme not in {"http", "https"} or not url.host or url.userinfo:
        raise httpx.InvalidURL("neither http nor https to a host")
    return url


def _headers(response: httpx.Response) -> Mapping[str, str]:
    raw = response.headers.raw
    return {name.lower().decode("latin-1"): value.decode("latin-1") for name, value in raw}


async def _pieces(body: bytes) -> AsyncGenerator[bytes, None]:
    """Hand a large body over bit by bit: in one piece it would hold up everybody on the loop."""
    for place in range(0, len(body), _PIECE_BYTES):
        yield body[place : place + _PIECE_BYTES]


async def _close(response: httpx.Response) -> None:
    try:
        await response.aclose()
    except _FAILURES:
        # It was closing anyway; what mattered has been read or has been told.
        return


@contextmanager
def _before_headers(name: str) -> Generator[None]:
    try:
        yield
    except UpstreamError:
        raise
    except _SILENCES as error:
        raise UpstreamTimeout(f"{name} did not answer in time.") from error
    except _FAILURES as error:
        raise UpstreamUnavailable(f"{name} could not be reached.") from error


def _broken(name: str, error: Exception) -> UpstreamError:
    if isinstance(error, _SILENCES):
        return UpstreamTimeout(f"{name} fell silent in the middle of its answer.")
    if isinstance(error, httpx.DecodingError):
        return UpstreamGarbled(f"{name} sent a body that does not decompress.")
    return StreamCut(f"{name} broke off in the middle of its answer.")
