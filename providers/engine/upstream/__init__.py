"""The one HTTP client: pooled, guarded, and the only importer of its library."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from weakref import WeakKeyDictionary

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.http_exceptions import ContentEncodingError
from yarl import URL

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
from providers.engine.upstream.transport import Request, Response, Transport

# A TimeoutError is an OSError.
_FAILURES = (OSError, aiohttp.ClientError)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One request. `body` None makes it a GET. Secrets belong into `headers`, never the path."""

    deployment: Deployment
    path: str
    headers: Mapping[str, str]
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Incoming:
    """Status and headers are here, the body is still coming. Header names are in any case."""

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

    transport: Transport | None = None
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
        deployment = outgoing.deployment
        request = _request(outgoing, self._more_headers(deployment))
        transport = self._transport_for(deployment, request.url)
        try:
            response = await transport.send(request)
        except _FAILURES as error:
            raise _unheard(deployment.name, error) from error
        try:
            if 300 <= response.status < 400:
                raise UpstreamMisconfigured(
                    f"{deployment.name} redirects elsewhere; redirects are refused.",
                    status=response.status,
                )
            async with aclosing(self._chunks(response, deployment)) as body:
                yield Incoming(response.status, response.headers, body)
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
        self, response: Response, deployment: Deployment
    ) -> AsyncGenerator[bytes, None]:
        name = deployment.name
        patience = Patience(deployment.idle_timeout_s)
        received = 0
        try:
            while True:
                try:
                    chunk = await patience.next(response.pieces)
                except _FAILURES as error:
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

    def _transport_for(self, deployment: Deployment, url: URL) -> Transport:
        host = url.host or ""
        if is_literal(host) and not may_reach(host, is_local=deployment.is_local):
            raise refused(deployment.name)
        if self.transport is not None:
            return self.transport
        loop = asyncio.get_running_loop()
        if loop not in self._pools:
            self._pools[loop] = Pool(self.resolver, self.environ, self.idle)
        return self._pools[loop].transport(url, is_local=deployment.is_local)


def _request(outgoing: Outgoing, more: Mapping[str, str]) -> Request:
    deployment = outgoing.deployment
    try:
        url = _url(deployment.base_url, outgoing.path)
    except ValueError as error:
        raise UpstreamMisconfigured(f"{deployment.name} has no valid base URL.") from error
    return Request(
        method="GET" if outgoing.body is None else "POST",
        url=url,
        headers={"user-agent": "gaiweb", **more, **outgoing.headers},
        body=outgoing.body,
        connect_timeout_s=deployment.connect_timeout_s,
    )


@lru_cache(maxsize=512)
def _url(base_url: str, path: str) -> URL:
    """Parse it once: that is a tenth of a short call. Raises ValueError."""
    url = URL(base_url.rstrip("/") + path)
    if url.scheme not in {"http", "https"} or not url.host or url.user or url.password:
        raise ValueError("neither http nor https to a host")
    return url


async def _close(response: Response) -> None:
    try:
        await response.close()
    except _FAILURES:
        # It was closing anyway; what mattered has been read or has been told.
        return


def _unheard(name: str, error: Exception) -> UpstreamError:
    """Tell silence, after which an answer may be on its way, from no connection at all."""
    is_silence = isinstance(error, TimeoutError) and not isinstance(
        error, aiohttp.ConnectionTimeoutError
    )
    if is_silence:
        return UpstreamTimeout(f"{name} did not answer in time.")
    return UpstreamUnavailable(f"{name} could not be reached.")


def _broken(name: str, error: Exception) -> UpstreamError:
    if isinstance(error, TimeoutError):
        return UpstreamTimeout(f"{name} fell silent in the middle of its answer.")
    if isinstance(error.__cause__, ContentEncodingError):
        return UpstreamGarbled(f"{name} sent a body that does not decompress.")
    return StreamCut(f"{name} broke off in the middle of its answer.")
