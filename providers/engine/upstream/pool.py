"""One loop's connections: where they may lead, through which proxy, and how many lie idle."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache, partial

import aiohttp
import certifi
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from yarl import URL

from providers.engine.addresses import is_exempt, may_reach
from providers.engine.errors import UpstreamMisconfigured
from providers.engine.upstream.transport import Request, Response, Transport

_PIECE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Idle:
    """Connections that wait for a next request; those in use have no bound."""

    most: int = 100
    most_per_host: int = 20
    longest_s: float = 90.0


@dataclass(slots=True)
class Pool:
    """Sessions by (local, proxy); together they keep `idle`.

    `environ` names proxies as curl reads them: lower case first, `no_proxy` wins.
    """

    resolver: AbstractResolver | None
    environ: Mapping[str, str]
    idle: Idle
    _sessions: dict[tuple[bool, str | None], _Session] = field(
        default_factory=dict[tuple[bool, str | None], "_Session"]
    )
    _connectors: list[_Connector] = field(default_factory=list["_Connector"])

    def transport(self, url: URL, *, is_local: bool) -> Transport:
        proxy = None if is_local else self._proxy_for(url)
        key = (is_local, proxy)
        if key not in self._sessions:
            self._sessions[key] = self._new_session(is_local=is_local, proxy=proxy)
        return self._sessions[key]

    @property
    def idle_now(self) -> int:
        return sum(connector.idle_now for connector in self._connectors)

    async def aclose(self) -> None:
        for session in self._sessions.values():
            await session.client.close()

    def _new_session(self, *, is_local: bool, proxy: str | None) -> _Session:
        resolver = self.resolver or aiohttp.ThreadedResolver()
        # The proxy's own address may well be private.
        guarded = resolver if proxy else _GuardedResolver(resolver, is_local=is_local)
        connector = _Connector(self, guarded)
        self._connectors.append(connector)
        client = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            trust_env=False,
        )
        return _Session(client, proxy)

    def _proxy_for(self, url: URL) -> str | None:
        no_proxy = self._setting("no_proxy")
        if no_proxy is not None and is_exempt(url.host or "", no_proxy):
            return None
        return self._setting(f"{url.scheme}_proxy") or self._setting("all_proxy")

    def _setting(self, name: str) -> str | None:
        return self.environ.get(name) or self.environ.get(name.upper()) or None


@dataclass(frozen=True, slots=True)
class _Session:
    """A transport over aiohttp, straight or through one proxy."""

    client: aiohttp.ClientSession
    proxy: str | None

    async def send(self, request: Request) -> Response:
        headers, body = dict(request.headers), request.body
        is_large = body is not None and len(body) > _PIECE_BYTES
        if body is not None and is_large:
            headers["content-length"] = str(len(body))
        response = await self.client.request(
            request.method,
            request.url,
            headers=headers,
            data=_pieces(body) if body is not None and is_large else body,
            allow_redirects=False,
            proxy=self.proxy,
            timeout=_timeout(request.connect_timeout_s),
        )
        pieces = response.content.iter_any()
        return Response(response.status, response.headers, pieces, partial(_leave, response))


async def _pieces(body: bytes) -> AsyncGenerator[bytes, None]:
    """Hand a large body over bit by bit: in one piece it would hold up everybody on the loop."""
    for place in range(0, len(body), _PIECE_BYTES):
        yield body[place : place + _PIECE_BYTES]


async def _leave(response: aiohttp.ClientResponse) -> None:
    response.release()
    await response.wait_for_close()


@lru_cache(maxsize=64)
def _timeout(connect_s: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(sock_connect=connect_s)


class _Connector(aiohttp.TCPConnector):
    """aiohttp bounds connections in use, which is not wanted, and not those that lie idle."""

    def __init__(self, pool: Pool, resolver: AbstractResolver) -> None:
        super().__init__(  # pyright: ignore[reportUnknownMemberType] - its socket factory's
            limit=0,
            keepalive_timeout=pool.idle.longest_s,
            resolver=resolver,
            ssl=_ssl_context(),
        )
        self._pool = pool

    @property
    def idle_now(self) -> int:
        return sum(map(len, self._conns.values()))

    def _release(
        self, key: ConnectionKey, protocol: ResponseHandler, *, should_close: bool = False
    ) -> None:
        idle = self._pool.idle
        is_one_too_many = (
            len(self._conns.get(key, ())) >= idle.most_per_host or self._pool.idle_now >= idle.most
        )
        super()._release(key, protocol, should_close=should_close or is_one_too_many)


class _GuardedResolver(AbstractResolver):
    """Hands out allowed addresses only; the connector then connects to these and no others."""

    def __init__(self, inner: AbstractResolver, *, is_local: bool) -> None:
        self._inner = inner
        self._is_local = is_local

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        if not all(may_reach(result["host"], is_local=self._is_local) for result in found):
            raise refused(host)
        return found

    async def close(self) -> None:
        await self._inner.close()


def refused(name: str) -> UpstreamMisconfigured:
    return UpstreamMisconfigured(
        f"{name} leads to a private address. An owner can mark the provider as local to allow it."
    )


@cache
def _ssl_context() -> ssl.SSLContext:
    """Read the certificates once: that takes longer than many an answer."""
    is_told = {"SSL_CERT_FILE", "SSL_CERT_DIR"} & os.environ.keys()
    return ssl.create_default_context(cafile=None if is_told else certifi.where())
