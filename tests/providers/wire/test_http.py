"""As much of HTTP as `/v1` needs, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest

from providers.engine.errors import BodyTooLarge
from providers.wire.http import CallerGone, Exchange, Heart

Message = Mapping[str, Any]


class Wire:
    """The server's side of ASGI: messages to receive, messages that were sent."""

    def __init__(self, *messages: Message, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        self.messages = list(messages)
        self.sent: list[Message] = []
        self.wrote = asyncio.Event()
        self.exchange = Exchange({"headers": list(headers)}, self.receive, self.send, uuid4())

    async def receive(self) -> Message:
        return self.messages.pop(0) if self.messages else {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)
        self.wrote.set()


def part(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_a_body_in_pieces_is_joined() -> None:
    wire = Wire(part(b"ab", more=True), part(b"", more=True), part(b"c"))
    assert await wire.exchange.body(10) == b"abc"


async def test_a_body_without_a_length_is_bounded_all_the_same() -> None:
    wire = Wire(*[part(b"x" * 6, more=True)] * 5)
    with pytest.raises(BodyTooLarge):
        await wire.exchange.body(10)
    assert len(wire.messages) == 3


async def test_an_announced_length_is_refused_before_anything_is_read() -> None:
    wire = Wire(part(b"x"), headers=((b"content-length", b"11"),))
    with pytest.raises(BodyTooLarge):
        await wire.exchange.body(10)
    assert len(wire.messages) == 1


async def test_a_caller_who_leaves_in_mid_body_is_noticed() -> None:
    wire = Wire(part(b"x", more=True))
    with pytest.raises(CallerGone):
        await wire.exchange.body(10)


async def test_a_silent_stream_beats_and_a_busy_one_does_not() -> None:
    wire = Wire()
    heart = Heart(wire.exchange, every_s=0.02)
    async with asyncio.timeout(5):
        await wire.wrote.wait()
    heart.stop()
    assert wire.sent[0]["body"] == Heart.COMMENT
    assert wire.sent[0]["body"].startswith(b":")

    busy = Wire()
    heart = Heart(busy.exchange, every_s=60)
    await heart.write(b"data: x\n\n")
    heart._due()
    heart.stop()
    await asyncio.sleep(0)
    assert [message["body"] for message in busy.sent] == [b"data: x\n\n"]


async def test_a_stopped_heart_writes_nothing_more() -> None:
    wire = Wire()
    heart = Heart(wire.exchange, every_s=60)
    heart._wrote_at -= 100
    heart._due()
    heart.stop()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert wire.sent == []
