from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from providers.engine.patience import Patience


async def pieces(*waits: float) -> AsyncIterator[bytes]:
    for wait in waits:
        await asyncio.sleep(wait)
        yield b"x"


async def read(patience: Patience, source: AsyncIterator[bytes], rest: float = 0) -> int:
    count = 0
    try:
        while await patience.next(source) is not None:
            count += 1
            await asyncio.sleep(rest)
    finally:
        patience.close()
    return count


async def test_each_wait_has_its_own_bound_and_the_sum_has_none() -> None:
    assert await read(Patience(10), pieces(9, 9, 9, 0, 9)) == 5


async def test_a_wait_that_is_too_long_ends_when_its_time_is_up() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(TimeoutError):
        await read(Patience(10), pieces(3, 60))
    assert loop.time() - began == pytest.approx(13)
    await asyncio.sleep(0)


async def test_the_readers_own_time_does_not_count() -> None:
    assert await read(Patience(10), pieces(1, 1, 1), rest=100) == 3


async def test_a_cancelled_reader_is_cancelled_and_not_timed_out() -> None:
    reading = asyncio.create_task(read(Patience(10), pieces(60)))
    await asyncio.sleep(5)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
