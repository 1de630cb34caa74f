"""What lies in the shared tier: on Redis where there is one, else in Postgres."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from django.conf import settings
from django.db import connection
from redis import Redis
from redis.exceptions import RedisError

from providers.models import CachedAnswer
from providers.state.redis_answers import pattern

_AT_ONCE = 500
_MOST_SCANNED = 100_000
_OVER_SIZE = """
DELETE FROM providers_cachedanswer WHERE digest IN (
    SELECT digest FROM (
        SELECT digest, sum(length(value)) OVER (ORDER BY kept_at DESC, digest) AS so_far
        FROM providers_cachedanswer
    ) newest_first WHERE so_far > %s
)
"""


@dataclass(frozen=True, slots=True)
class Lot:
    """Answers of one team on one route; `size` in bytes, as they lie there."""

    team_id: int
    route: str
    answers: int
    size: int


class ShelfAway(Exception):
    """Redis does not answer."""


def lots(team_ids: list[int] | None = None) -> list[Lot]:
    """List them; `team_ids` None: of every team. Raises ShelfAway."""
    url = settings.GAIWEB.redis_url
    found = _in_redis(url) if url else _in_postgres()
    return [lot for lot in found if team_ids is None or lot.team_id in team_ids]


def clear(team_id: int | None, route: str | None) -> int:
    """Delete; None: of every team, of every route. Answer how many. Raises ShelfAway."""
    url = settings.GAIWEB.redis_url
    if url is None:
        named = {"team_id": team_id, "route": route}
        wanted = {name: value for name, value in named.items() if value is not None}
        return CachedAnswer.objects.filter(**wanted).delete()[0]
    try:
        with _redis(url) as redis:
            names = redis.scan_iter(match=pattern(team_id, route), count=_AT_ONCE)
            return sum(int(redis.unlink(*some)) for some in _batches(names))
    except RedisError as fault:
        raise ShelfAway("Redis does not answer, so what lies there is kept.") from fault


def keep_within(most_bytes: int) -> int:
    """Delete the oldest beyond the bound; of Redis its own `maxmemory` takes care."""
    with connection.cursor() as cursor:
        cursor.execute(_OVER_SIZE, [most_bytes])
        return int(cursor.rowcount)


def _in_postgres() -> list[Lot]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT team_id, route, count(*), sum(length(value)) FROM providers_cachedanswer"
            " GROUP BY team_id, route ORDER BY team_id, route"
        )
        return [Lot(team, route, int(count), int(size)) for team, route, count, size in cursor]


def _in_redis(url: str) -> list[Lot]:
    sizes: dict[tuple[int, str], list[int]] = defaultdict(list)
    try:
        with _redis(url) as redis:
            names = redis.scan_iter(match=pattern(), count=_AT_ONCE)
            for some in _batches(islice(names, _MOST_SCANNED)):
                pipe = redis.pipeline(transaction=False)
                for name in some:
                    pipe.strlen(name)
                for name, size in zip(some, pipe.execute(), strict=True):
                    sizes[_owner(name)].append(int(size))
    except RedisError as fault:
        raise ShelfAway("Redis does not answer, so nobody knows what lies there.") from fault
    return [Lot(*owner, len(each), sum(each)) for owner, each in sorted(sizes.items())]


def _owner(name: bytes) -> tuple[int, str]:
    _, team, route, _ = name.rsplit(b":", 3)
    return int(team), bytes.fromhex(route.decode()).decode()


def _redis(url: str) -> Redis:
    return Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2)


def _batches(names: Iterator[bytes]) -> Iterator[list[bytes]]:
    while some := list(islice(names, _AT_ONCE)):
        yield some
