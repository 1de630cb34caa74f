"""How many connections there are, and for how long; against servers that count them."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from providers.engine.errors import (
    UpstreamGarbled,
    UpstreamMisconfigured,
    UpstreamUnavailable,
)
from providers.engine.upstream import Outgoing, Upstream
from providers.engine.upstream.pool import Idle
from tests.fakes import a_deployment

KEY = "sk-of-the-first-host"
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: application/json\r\n\r\n{}"


@dataclass
class Host:
    """Answers every GET once `go` is set, and keeps its connections open."""

    go: asyncio.Event = field(default_factory=asyncio.Event)
    accepted: int = 0
    open_now: int = 0
    url: str = ""
    answer: bytes = ANSWER

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self.open_now += 1
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                await self.go.wait()
                writer.write(self.answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open_now -= 1
            writer.close()


@asynccontextmanager
async def serving(number: int = 1) -> AsyncIterator[list[Host]]:
    hosts = [Host() for _ in range(number)]
    servers = [await asyncio.start_server(host.serve, "127.0.0.1", 0) for host in hosts]
    for host, server in zip(hosts, servers, strict=True):
        host.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield hosts
    for server in servers:
        server.close()


async def ask(upstream: Upstream, host: Host) -> None:
    await upstream.fetch(Outgoing(a_deployment(base_url=host.url), "/", {}))


async def until(number: int, hosts: list[Host]) -> None:
    async with asyncio.timeout(5):
        while sum(host.open_now for host in hosts) != number:  # noqa: ASYNC110 - a peer's doing
            await asyncio.sleep(0.005)


async def all_at_once(upstream: Upstream, hosts: list[Host], each: int) -> None:
    """Prove on the way that nobody waits for a connection in use."""
    async with asyncio.TaskGroup() as group:
        for host in hosts:
            for _ in range(each):
                group.create_task(ask(upstream, host))
        await until(each * len(hosts), hosts)
        for host in hosts:
            host.go.set()


async def test_a_connection_is_used_again(upstream: Upstream) -> None:
    async with serving() as (host,):
        host.go.set()
        for _ in range(3):
            await ask(upstream, host)
        assert host.accepted == 1
        await upstream.aclose()


async def test_any_number_is_in_use_and_at_most_20_lie_idle_for_a_host(upstream: Upstream) -> None:
    async with serving() as hosts:
        await all_at_once(upstream, hosts, 30)
        await until(20, hosts)
        await upstream.aclose()
        await until(0, hosts)


async def test_at_most_100_lie_idle_in_all(upstream: Upstream) -> None:
    async with serving(6) as hosts:
        await all_at_once(upstream, hosts, 20)
        await until(100, hosts)
        await upstream.aclose()
        await until(0, hosts)


async def test_an_idle_connection_is_closed_when_its_time_is_over() -> None:
    assert Upstream().idle.longest_s == 90
    upstream = Upstream(environ={}, idle=Idle(longest_s=0.05))
    async with serving() as hosts:
        hosts[0].go.set()
        await ask(upstream, hosts[0])
        assert hosts[0].open_now == 1
        await until(0, hosts)
    await upstream.aclose()


@pytest.mark.parametrize("proxied", [False, True], ids=["direct", "through a proxy"])
async def test_a_tls_handshake_that_never_ends_is_given_up_as_a_connection(proxied: bool) -> None:
    """Long before the time for the first token is over."""
    async with serving() as (host,):
        environ = {"https_proxy": host.url} if proxied else {}
        if proxied:
            host.go.set()
        base_url = "https://provider.invalid" if proxied else host.url.replace("http:", "https:")
        deployment = a_deployment(base_url=base_url, is_local=not proxied, connect_timeout_s=0.05)
        upstream = Upstream(environ=environ)
        began = time.monotonic()
        with pytest.raises(UpstreamUnavailable):
            await upstream.fetch(Outgoing(deployment, "/models", {}))
        assert time.monotonic() - began < 2
        await upstream.aclose()
        await until(0, [host])


async def test_a_redirect_is_not_followed_and_no_key_goes_to_another_host(
    upstream: Upstream,
) -> None:
    async with serving(2) as (first, other):
        first.go.set()
        first.answer = (
            b"HTTP/1.1 307 Elsewhere\r\nlocation: " + other.url.encode() + b"\r\n"
            b"content-length: 0\r\n\r\n"
        )
        asked = Outgoing(a_deployment(base_url=first.url), "/", {"authorization": f"Bearer {KEY}"})
        with pytest.raises(UpstreamMisconfigured):
            await upstream.fetch(asked)
        assert (first.accepted, other.accepted) == (1, 0)
        await upstream.aclose()


async def test_a_compressed_answer_is_opened_and_its_size_is_that_of_what_was_in_it() -> None:
    upstream = Upstream(environ={}, most_response_bytes=10_000)
    async with serving() as (host,):
        host.go.set()
        for size in (10_000, 10_001):
            body = gzip.compress(b"x" * size)
            assert len(body) < 100
            head = f"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {len(body)}"
            host.answer = head.encode() + b"\r\n\r\n" + body
            asked = Outgoing(a_deployment(base_url=host.url), "/", {})
            if size == 10_000:
                assert (await upstream.fetch(asked))[1] == b"x" * size
            else:
                with pytest.raises(UpstreamGarbled):
                    await upstream.fetch(asked)
        await upstream.aclose()
