"""Pings between events that are long in coming; nobody waits for real."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from providers.event_stream import beating


class Hand:
    """A clock moved by hand: each `tick` ends one sleep of `every_s` seconds."""

    def __init__(self) -> None:
        self.ticks: asyncio.Queue[None] = asyncio.Queue()
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await self.ticks.get()

    def tick(self) -> None:
        self.ticks.put_nowait(None)


class Source:
    """Events given by hand; it notes in which task it was read and left."""

    def __init__(self) -> None:
        self.given: asyncio.Queue[str | Exception | None] = asyncio.Queue()
        self.taken: list[str] = []
        self.tasks: set[asyncio.Task[object] | None] = set()
        self.is_left = False

    async def events(self) -> AsyncGenerator[str]:
        try:
            while (event := await self.given.get()) is not None:
                self.tasks.add(asyncio.current_task())
                if isinstance(event, Exception):
                    raise event
                self.taken.append(event)
                yield event
        finally:
            self.is_left = True
            self.tasks.add(asyncio.current_task())


async def test_a_silence_is_told_before_the_first_event_and_between_two() -> None:
    source, hand = Source(), Hand()
    told = beating(source.events(), 15.0, hand.sleep)
    hand.tick()
    assert await anext(told) is None
    source.given.put_nowait("a")
    assert await anext(told) == "a"
    hand.tick()
    assert await anext(told) is None
    source.given.put_nowait("b")
    source.given.put_nowait(None)
    assert [each async for each in told] == ["b"]
    assert set(hand.slept) == {15.0}
    assert source.is_left


async def test_events_are_read_and_left_in_one_task_and_one_at_a_time() -> None:
    source = Source()
    told = beating(source.events(), 15.0, Hand().sleep)
    for event in ("a", "b", "c"):
        source.given.put_nowait(event)
    assert await anext(told) == "a"
    await asyncio.sleep(0)
    assert source.taken == ["a"]
    assert await anext(told) == "b"
    await told.aclose()
    assert source.is_left
    assert len(source.tasks) == 1


async def test_a_failure_rises_where_its_event_would_be() -> None:
    source = Source()
    told = beating(source.events(), 15.0, Hand().sleep)
    source.given.put_nowait("a")
    source.given.put_nowait(ValueError("broken"))
    assert await anext(told) == "a"
    with pytest.raises(ValueError, match="broken"):
        await anext(told)


async def test_who_is_cancelled_while_waiting_leaves_the_events() -> None:
    source = Source()
    told = beating(source.events(), 15.0, Hand().sleep)
    waiting = asyncio.create_task(anext(told))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert source.is_left
