"""Stay under a deployment's own limit: a token bucket in front of it, with a bounded wait."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from providers.engine.call import Attempt, Stream
from providers.engine.errors import UpstreamThrottled
from providers.engine.ports import Now, Open, Sleep


@dataclass(slots=True)
class _Bucket:
    """`tokens` below zero: that many requests wait for their turn."""

    tokens: float
    filled_at: float


@dataclass(slots=True)
class RateLimit:
    """Seconds. Rate and burst are the deployment's, read anew each time, so a change is live."""

    now: Now
    sleep: Sleep
    longest_wait_s: float = 5.0
    _buckets: dict[int, _Bucket] = field(default_factory=dict[int, _Bucket])

    @asynccontextmanager
    async def open(self, attempt: Attempt, open_next: Open[Attempt]) -> AsyncGenerator[Stream]:
        rate = attempt.deployment.requests_per_second
        if rate is not None:
            await self._take(attempt, rate)
        async with open_next(attempt) as stream:
            yield stream

    async def _take(self, attempt: Attempt, rate: float) -> None:
        bucket = self._filled(attempt, rate)
        wait = max((1.0 - bucket.tokens) / rate, 0.0)
        if wait > min(self.longest_wait_s, attempt.deadline - self.now()):
            raise UpstreamThrottled(
                f"{attempt.deployment.name} is at our limit of {rate:g} requests a second.",
                retry_after_s=wait,
            )
        bucket.tokens -= 1.0
        if wait <= 0:
            return
        waited = False
        try:
            await self.sleep(wait)
            waited = True
        finally:
            if not waited:
                bucket.tokens += 1.0

    def _filled(self, attempt: Attempt, rate: float) -> _Bucket:
        now = self.now()
        burst = float(max(attempt.deployment.burst, 1))
        bucket = self._buckets.get(attempt.deployment.id)
        if bucket is None:
            bucket = self._buckets[attempt.deployment.id] = _Bucket(burst, now)
        bucket.tokens = min(burst, bucket.tokens + (now - bucket.filled_at) * rate)
        bucket.filled_at = now
        return bucket
