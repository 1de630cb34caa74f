"""How many calls are under way in a loop, so that its end can wait for theirs."""

from __future__ import annotations

import asyncio


class OpenCalls:
    """An async context manager around each call; belongs to one loop."""

    def __init__(self) -> None:
        self._count = 0
        self._none = asyncio.Event()
        self._none.set()

    async def __aenter__(self) -> None:
        self._count += 1
        self._none.clear()

    async def __aexit__(self, *_: object) -> None:
        self._count -= 1
        if not self._count:
            self._none.set()

    async def ended(self, within_s: float) -> bool:
        """Wait until all have ended; False when time ran out first."""
        try:
            async with asyncio.timeout(within_s):
                await self._none.wait()
        except TimeoutError:
            return False
        return True
