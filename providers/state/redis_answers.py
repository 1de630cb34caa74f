"""The far tier of the cache on Redis, which drops by itself what is too old."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from structlog import get_logger

from providers.engine.call import Tier
from providers.engine.ports import AnswerKey, KeptAnswer
from providers.state.redis_link import PREFIX
from providers.state.sealed_answers import Sealer

log = get_logger(__name__)


def pattern(team_id: int | None = None, route: str | None = None) -> str:
    """Match the names of a team, of a route, of both; a route is written in hexadecimal."""
    team = "*" if team_id is None else str(team_id)
    return f"{PREFIX}answer:{team}:{'*' if route is None else route.encode().hex()}:*"


@dataclass(slots=True)
class RedisAnswers:
    """`ttl_s` is how long anything is kept; `patience_s` what Redis may take."""

    url: str
    sealer: Sealer
    ttl_s: float
    patience_s: float = 0.5
    tier: Tier = Tier.SHARED
    _redis: Redis = field(init=False)

    def __post_init__(self) -> None:
        self._redis = Redis.from_url(
            self.url,
            socket_timeout=self.patience_s,
            socket_connect_timeout=self.patience_s,
            retry=Retry(NoBackoff(), 0),
        )

    async def get(self, key: AnswerKey) -> KeptAnswer | None:
        try:
            box: Any = await self._redis.get(_name(key))
        except (RedisError, OSError) as fault:
            log.warning("cache_not_read", fault=type(fault).__name__)
            return None
        return None if box is None else self.sealer.unseal(key, box)

    async def put(self, key: AnswerKey, kept: KeptAnswer) -> None:
        try:
            await self._redis.set(_name(key), self.sealer.seal(key, kept), ex=int(self.ttl_s))
        except (RedisError, OSError) as fault:
            log.warning("cache_not_written", fault=type(fault).__name__)

    async def aclose(self) -> None:
        with suppress(RedisError, OSError):
            await self._redis.aclose()


def _name(key: AnswerKey) -> str:
    return pattern(key.team_id, key.route)[:-1] + key.digest.hex()
