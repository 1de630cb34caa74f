"""The engine's limiter on Redis: one count for all processes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from providers.engine.buckets import LocalLimiter
from providers.engine.ports import Draw, Lease, Taken
from providers.state.redis_link import Away, RedisLink, Script

SCRIPT = Script("limiter.lua")


@dataclass(slots=True)
class RedisLimiter:
    """Implements `ports.Limiter`. What is taken is noted in `local` as well.

    So while Redis is away, this process goes on from what it took itself.
    """

    link: RedisLink
    local: LocalLimiter

    async def take(
        self, draws: Sequence[Draw], leases: Sequence[Lease] = (), longest_wait_s: float = 0.0
    ) -> Taken:
        answer = self._sent("take", draws, leases, longest_wait_s)
        try:
            said = await asyncio.shield(answer)
        except Away:
            return await self.local.take(draws, leases, longest_wait_s)
        except asyncio.CancelledError:
            answer.add_done_callback(lambda done: self._undo(done, draws, leases))
            raise
        levels = tuple(map(float, said["levels"] or ()))
        if said["short"]:
            short = [*draws, *leases][said["short"] - 1]
            return Taken(said.get("wait"), levels, short)
        self.local.charge(draws, leases)
        return Taken(said["wait"], levels)

    def put(self, draws: Sequence[Draw]) -> None:
        self.local.put(draws)
        self._tell("put", draws, ())

    def release(self, leases: Sequence[Lease]) -> None:
        self.local.release(leases)
        if leases:
            self._tell("release", (), leases)

    def _tell(self, operation: str, draws: Sequence[Draw], leases: Sequence[Lease]) -> None:
        """Send it and wait for nothing: what Redis missed, time puts right there."""
        answer = self._sent(operation, draws, leases, 0.0)
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())

    def _undo(
        self, done: asyncio.Future[Any], draws: Sequence[Draw], leases: Sequence[Lease]
    ) -> None:
        if not done.cancelled() and done.exception() is None and not done.result()["short"]:
            self._tell("put", draws, leases)

    def _sent(
        self, operation: str, draws: Sequence[Draw], leases: Sequence[Lease], wait_s: float
    ) -> asyncio.Future[Any]:
        wish = {
            "draws": [
                {"amount": draw.amount, "rate": draw.rate, "burst": draw.burst} for draw in draws
            ],
            "leases": [
                {"holder": lease.holder, "most": lease.most, "ttl_s": lease.ttl_s}
                for lease in leases
            ],
            "wait_s": wait_s,
            "now": None,
        }
        keys = [f"bucket:{draw.key}" for draw in draws] + [f"open:{lease.key}" for lease in leases]
        return self.link.sent(SCRIPT, keys, [operation, json.dumps(wish)])
