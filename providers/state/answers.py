"""The tiers of the cache that one loop uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from providers.engine.ports import AnswerStore, Purge
from providers.state.local_answers import LocalAnswers
from providers.state.postgres_answers import PostgresAnswers
from providers.state.redis_answers import RedisAnswers


@dataclass(slots=True)
class Answers:
    """None: that tier is switched off."""

    local: LocalAnswers | None
    shared: PostgresAnswers | RedisAnswers | None

    @property
    def tiers(self) -> tuple[AnswerStore, ...]:
        return tuple(tier for tier in (self.local, self.shared) if tier is not None)

    def bound(self, most_bytes: int, ttl_s: float) -> None:
        """Keep at most so many bytes in memory, and nothing longer than this, from now on."""
        if self.local is not None:
            self.local.most_bytes, self.local.ttl_s = most_bytes, ttl_s
        if isinstance(self.shared, RedisAnswers):
            self.shared.ttl_s = ttl_s

    def forget(self, purges: Sequence[Purge]) -> None:
        if self.local is not None:
            self.local.forget(purges)

    async def aclose(self) -> None:
        if isinstance(self.shared, RedisAnswers):
            await self.shared.aclose()
