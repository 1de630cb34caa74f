"""Token buckets and places of this process. Shared state follows these rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from providers.engine.ports import Draw, Lease, Now, Taken

# So many are held before those that are full again are forgotten.
_MANY = 10_000


@dataclass(slots=True)
class _Bucket:
    """`level` below zero: others wait for what is to come."""

    level: float
    at: float


@dataclass(slots=True)
class LocalLimiter:
    """For one loop. Implements `ports.Limiter`."""

    now: Now
    _buckets: dict[str, _Bucket] = field(default_factory=dict[str, _Bucket])
    _places: dict[str, dict[str, float]] = field(default_factory=dict[str, dict[str, float]])

    async def take(
        self, draws: Sequence[Draw], leases: Sequence[Lease] = (), longest_wait_s: float = 0.0
    ) -> Taken:
        now = self.now()
        for lease in leases:
            if len(self._held(lease.key, now)) >= lease.most:
                return Taken(None, (), lease)
        buckets = [self._filled(draw, now) for draw in draws]
        levels = tuple(bucket.level for bucket in buckets)
        wait, slowest = longest(draws, levels)
        if slowest is not None and wait > longest_wait_s:
            return Taken(wait, levels, slowest)
        self.charge(draws, leases)
        return Taken(wait, tuple(bucket.level for bucket in buckets))

    def charge(self, draws: Sequence[Draw], leases: Sequence[Lease] = ()) -> None:
        """Take, whatever is there."""
        now = self.now()
        for draw in draws:
            self._filled(draw, now).level -= draw.amount
        for lease in leases:
            self._held(lease.key, now)[lease.holder] = now + lease.ttl_s

    def put(self, draws: Sequence[Draw]) -> None:
        now = self.now()
        for draw in draws:
            bucket = self._filled(draw, now)
            bucket.level = min(bucket.level + draw.amount, draw.burst)

    def release(self, leases: Sequence[Lease]) -> None:
        for lease in leases:
            holders = self._places.get(lease.key, {})
            holders.pop(lease.holder, None)
            if not holders:
                self._places.pop(lease.key, None)

    def _filled(self, draw: Draw, now: float) -> _Bucket:
        bucket = self._buckets.get(draw.key)
        if bucket is None:
            if len(self._buckets) >= _MANY:
                self._forget()
            bucket = self._buckets[draw.key] = _Bucket(draw.burst, now)
        bucket.level = min(bucket.level + (now - bucket.at) * draw.rate, draw.burst)
        bucket.at = now
        return bucket

    def _held(self, key: str, now: float) -> dict[str, float]:
        """Those under `key` in order of expiry, as all leases of one key last equally long."""
        holders = self._places.setdefault(key, {})
        while holders and holders[oldest := next(iter(holders))] <= now:
            del holders[oldest]
        return holders

    def _forget(self) -> None:
        """Drop the older half: who was not asked for longest is full again, or nearly."""
        oldest = sorted(self._buckets, key=lambda key: self._buckets[key].at)
        for key in oldest[: _MANY // 2]:
            del self._buckets[key]


def longest(draws: Sequence[Draw], levels: Sequence[float]) -> tuple[float, Draw | None]:
    """Answer the longest of the waits, in seconds, and whose it is; 0 and None: none waits."""
    waits = [
        max((draw.amount - level) / draw.rate, 0.0)
        for draw, level in zip(draws, levels, strict=True)
    ]
    wait = max(waits, default=0.0)
    return (wait, draws[waits.index(wait)]) if wait > 0 else (0.0, None)
