"""A bound on each wait of a long row of waits, at the price of one timer for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator


class Patience:
    """Awaits the pieces of a stream, each within `idle_s` seconds.

    `asyncio.timeout` arms and disarms a timer a piece, which costs more than reading it.
    """

    def __init__(self, idle_s: float) -> None:
        self._idle_s = idle_s
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: asyncio.Task[object] | None = None
        self._until = 0.0
        self._ran_out = False

    async def next(self, pieces: AsyncIterator[bytes]) -> bytes | None:
        """Answer the next piece, None at the end. Raises TimeoutError."""
        self._until = self._loop.time() + self._idle_s
        # With the loop at hand: looking for it asks the system for the process id each time.
        self._waiting = asyncio.current_task(self._loop)
        if self._timer is None:
            self._timer = self._loop.call_at(self._until, self._look)
        try:
            return await anext(pieces, None)
        except asyncio.CancelledError:
            if self._ran_out and self._waiting is not None and self._waiting.uncancel() <= 0:
                raise TimeoutError from None
            raise
        finally:
            self._waiting = None

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        """Cancel a wait that has lasted too long; else look again when it would have."""
        self._timer = None
        if self._waiting is None:
            return
        if self._loop.time() < self._until:
            self._timer = self._loop.call_at(self._until, self._look)
            return
        self._ran_out = True
        self._waiting.cancel()
