"""How many requests a key, or a person without one, may have open at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from providers.engine.call import Call, Caller, Stream
from providers.engine.errors import RateLimited
from providers.engine.ports import Open


@dataclass(slots=True)
class CallerLimits:
    """Counted in this process. None: no limit. Probes are nobody's and not limited."""

    parallel_per_key: int | None = 1024
    parallel_per_user: int | None = 64
    _open: Counter[tuple[str, int]] = field(default_factory=Counter[tuple[str, int]])

    @asynccontextmanager
    async def open(self, call: Call, open_next: Open[Call]) -> AsyncGenerator[Stream]:
        who, most = self._limit_of(call.caller)
        if who is None or most is None:
            async with open_next(call) as stream:
                yield stream
            return
        if self._open[who] >= most:
            raise RateLimited(
                f"This {who[0]} already has {most} requests open, which is its limit.",
                retry_after_s=1.0,
            )
        self._open[who] += 1
        try:
            async with open_next(call) as stream:
                yield stream
        finally:
            self._open[who] -= 1
            if not self._open[who]:
                del self._open[who]

    def _limit_of(self, caller: Caller) -> tuple[tuple[str, int] | None, int | None]:
        if caller.key_id is not None:
            return ("key", caller.key_id), self.parallel_per_key
        if caller.user_id is not None:
            return ("user", caller.user_id), self.parallel_per_user
        return None, None
