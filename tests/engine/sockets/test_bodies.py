"""Bodies of unusual size or coding, over real connections."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from providers.engine.errors import UpstreamGarbled
from providers.engine.pipeline import Engine
from providers.engine.routes import Deployment
from providers.engine.upstream import Outgoing, Upstream
from tests.engine.sockets.test_upstream import at, text_of
from tests.fakes import CALLER, a_deployment, a_request, a_route
from tests.upstream import TEXT, FakeUpstream


async def test_a_prompt_of_megabytes_goes_up_whole(real_engine: Engine, fake: FakeUpstream) -> None:
    text = "x" * 3_000_000
    async with real_engine.open(a_request(text), CALLER, a_route(at(fake, "ok"))) as answer:
        [event async for event in answer.events]
    (call,) = fake.calls
    assert call.body["messages"][0]["content"] == text
    assert int(call.headers["Content-Length"]) > 3_000_000


async def test_many_streams_at_once_wait_for_none_of_each_other(
    real_engine: Engine, fake: FakeUpstream
) -> None:
    fake.hold()
    asked = [asyncio.create_task(text_of(real_engine, at(fake, "ok"))) for _ in range(32)]
    await asyncio.to_thread(fake.wait_until, open_now=32)
    fake.release()
    assert await asyncio.gather(*asked) == [TEXT] * 32


@asynccontextmanager
async def answering(body: bytes, coding: str | None) -> AsyncIterator[tuple[Upstream, Deployment]]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"content-encoding: {coding}\r\n" if coding else ""
        writer.write(f"HTTP/1.1 200 OK\r\n{head}content-length: {len(body)}\r\n\r\n".encode())
        writer.write(body)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    upstream = Upstream(environ={}, most_response_bytes=1000)
    yield upstream, a_deployment(base_url=f"http://127.0.0.1:{port}")
    await upstream.aclose()
    server.close()


async def test_a_compressed_body_is_opened() -> None:
    async with answering(gzip.compress(b"hello"), "gzip") as (upstream, deployment):
        _, body = await upstream.fetch(Outgoing(deployment, "/", {}))
        assert body == b"hello"


@pytest.mark.parametrize(
    ("body", "coding"),
    [(b"not gzip", "gzip"), (b"x" * 1001, None), (gzip.compress(b"x" * 1001), "gzip")],
    ids=["not gzip", "too large", "too large once opened"],
)
async def test_what_cannot_be_opened_or_is_too_large_is_garbled(
    body: bytes, coding: str | None
) -> None:
    async with answering(body, coding) as (upstream, deployment):
        with pytest.raises(UpstreamGarbled):
            await upstream.fetch(Outgoing(deployment, "/", {}))
