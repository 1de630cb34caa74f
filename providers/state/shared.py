"""What processes share through Redis, and how it stands with it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from providers.engine.buckets import LocalLimiter
from providers.engine.circuits import LocalCircuits
from providers.engine.ports import Now, Random, UtcNow
from providers.metrics import shared_state
from providers.state.redis_circuits import RedisCircuits
from providers.state.redis_limiter import RedisLimiter
from providers.state.redis_link import RedisLink


class Sharing(StrEnum):
    """`ALONE`: no Redis is configured, each process counts for itself. `AWAY`: so it does now."""

    ALONE = "alone"
    SHARED = "shared"
    AWAY = "away"


@dataclass(slots=True)
class Shared:
    """Breakers and limits of one loop, on Redis."""

    link: RedisLink
    circuits: RedisCircuits
    limiter: RedisLimiter

    @classmethod
    def over(cls, url: str, now: Now, utcnow: UtcNow, random: Random) -> Shared:
        link = RedisLink(url)
        circuits = RedisCircuits(link, LocalCircuits(now, utcnow, random), now, random)
        return cls(link, circuits, RedisLimiter(link, LocalLimiter(now)))

    @property
    def sharing(self) -> Sharing:
        return Sharing.SHARED if self.link.is_up else Sharing.AWAY

    async def start(self) -> None:
        self.link.went, self.link.came = self._went, self._came
        await self.link.start()
        shared_state.set(self.link.is_up)
        await self.circuits.start()

    async def stop(self) -> None:
        await self.circuits.stop()
        await self.link.aclose()

    def _went(self) -> None:
        shared_state.set(0)
        self.circuits.go_on_alone()

    def _came(self) -> None:
        shared_state.set(1)
        self.circuits.tell_what_rests()
