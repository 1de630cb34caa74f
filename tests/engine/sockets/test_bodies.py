"""Bodies of unusual size or coding, over real connections."""

from __future__ import annotations

import asyncio
import gzip

import httpx
import pytest

from providers.engine.errors import UpstreamGarbled
from providers.engine.pipeline import Engine
from providers.engine.upstream import Outgoing, Upstream
from tests.engine.adapters.replay import Chunks
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


def answering(body: bytes, **headers: str) -> Upstream:
    def handle(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers=headers, stream=Chunks([body]))

    return Upstream(transport=httpx.MockTransport(handle), most_response_bytes=1000)


async def test_a_compressed_body_is_opened() -> None:
    upstream = answering(gzip.compress(b"hello"), **{"content-encoding": "gzip"})
    _, body = await upstream.fetch(Outgoing(a_deployment(), "/", {}))
    assert body == b"hello"


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"not gzip", {"content-encoding": "gzip"}),
        (b"x" * 1001, {}),
        (gzip.compress(b"x" * 1001), {"content-encoding": "gzip"}),
    ],
    ids=["not gzip", "too large", "too large once opened"],
)
async def test_what_cannot_be_opened_or_is_too_large_is_garbled(
    body: bytes, headers: dict[str, str]
) -> None:
    with pytest.raises(UpstreamGarbled):
        await answering(body, **headers).fetch(Outgoing(a_deployment(), "/", {}))
