"""One loop's connections: where they may lead, through which proxy, and how many lie idle."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from httpx_aiohttp import AiohttpTransport

from providers.engine.addresses import is_exempt, may_reach
from providers.engine.errors import UpstreamMisconfigured


@dataclass(frozen=True, slots=True)
class Idle:
    """Connections that wait for a next request; those in use have no bound."""

    most: int = 100
    most_per_host: int = 20
    longest_s: float = 90.0


@dataclass(slots=True)
class Pool:
    """Transports by (local, proxy); together they keep `idle`.

    `environ` names proxies as curl reads them: lower case first, `no_proxy` wins.
    """

    resolver: AbstractResolver | None
    environ: Mapping[str, str]
    idle: Idle
    _transports: dict[tuple[bool, str | None], AiohttpTransport] = field(
        default_factory=dict[tuple[bool, str | None], AiohttpTransport]
    )
    _connectors: list[_Connector] = field(default_factory=list["_Connector"])

    def transport(self, url: httpx.URL, *, is_local: bool) -> AiohttpTransport:
        proxy = None if is_local else self._proxy_for(url)
        key = (is_local, proxy)
        if key not in self._transports:
            self._transports[key] = self._new_transport(is_local=is_local, proxy=proxy)
        return self._transports[key]

    @property
    def idle_now(self) -> int:
        return sum(connector.idle_now for connector in self._connectors)

    async def aclose(self) -> None:
        for transport in self._transports.values():
            await transport.aclose()

    def _new_transport(self, *, is_local: bool, proxy: str | None) -> AiohttpTransport:
        resolver = self.resolver or aiohttp.ThreadedResolver()
        # The proxy's own address may well be private.
        guarded = resolver if proxy else _GuardedResolver(resolver, is_local=is_local)
        connector = _Connector(self, guarded)
        self._connectors.append(connector)
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            trust_env=False,
        )
        return AiohttpTransport(
            client=session,
            verify=_ssl_context(),
            proxy=httpx.Proxy(proxy) if proxy else None,
        )

    def _proxy_for(self, url: httpx.URL) -> str | None:
        no_proxy = self._setting("no_proxy")
        if no_proxy is not None and is_exempt(url.host, no_proxy):
            return None
        return self._setting(f"{url.scheme}_proxy") or self._setting("all_proxy")

    def _setting(self, name: str) -> str | None:
        return self.environ.get(name) or self.environ.get(name.upper()) or None


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
    return httpx.create_ssl_context()
