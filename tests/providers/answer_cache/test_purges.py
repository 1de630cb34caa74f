"""Throwing answers away: what lies in the shared tier, and the row that every process reads."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from redis import Redis

from providers.answer_cache import purges, shelf
from providers.engine.ports import AnswerKey, KeptAnswer
from providers.models import AuditEntry, CachedAnswer, CachePurge, KeptReply, Team
from providers.state.redis_answers import RedisAnswers
from providers.state.sealed_answers import Sealer
from tests.redis_server import RedisServer

pytestmark = pytest.mark.django_db


@pytest.fixture
def teams() -> tuple[Team, Team]:
    return (
        Team.objects.create(name="Search", slug="search"),
        Team.objects.create(name="Ads", slug="ads"),
    )


def lay(team: Team, route: str, size: int = 10, age: timedelta = timedelta(0)) -> CachedAnswer:
    return CachedAnswer.objects.create(
        digest=f"{team.pk}{route}{age}".encode(),
        team_id=team.pk,
        route=route,
        value=b"x" * size,
        kept_at=timezone.now() - age,
    )


def left() -> list[tuple[int, str]]:
    return sorted(CachedAnswer.objects.values_list("team_id", "route"))


def test_a_purge_takes_a_teams_answers_on_a_route_and_leaves_the_others(
    teams: tuple[Team, Team],
) -> None:
    search, ads = teams
    for team in teams:
        for route in ("fast", "slow"):
            lay(team, route)
    assert purges.purge(None, search, "fast") == 1
    assert left() == [(search.pk, "slow"), (ads.pk, "fast"), (ads.pk, "slow")]
    assert purges.purge(None, route="slow") == 2
    assert left() == [(ads.pk, "fast")]
    assert [(each.team_id, each.route) for each in purges.in_force()] == [
        (search.pk, "fast"),
        (None, "slow"),
    ]
    assert AuditEntry.objects.filter(action="cache.purge").count() == 2


def test_the_sweep_takes_what_is_old_and_the_oldest_beyond_the_bound(
    teams: tuple[Team, Team], settings: Any
) -> None:
    search, _ = teams
    cache = settings.GAIWEB.cache.model_copy(update={"shared_bytes": 100_000})
    settings.GAIWEB = settings.GAIWEB.model_copy(update={"cache": cache})
    lay(search, "old", age=timedelta(days=2))
    lay(search, "older", 60_000, timedelta(hours=2))
    lay(search, "newer", 60_000, timedelta(hours=1))
    CachePurge.objects.create(at=timezone.now() - timedelta(days=2))
    assert purges.sweep(timezone.now()) == 2
    assert left() == [(search.pk, "newer")]
    assert not CachePurge.objects.exists()


def command(*words: str) -> dict[str, Any]:
    out = StringIO()
    call_command("cache", *words, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_the_sweep_takes_answers_under_an_idempotency_key_after_a_day() -> None:
    now = timezone.now()
    for name, hours in ((b"old", 25), (b"new", 23)):
        KeptReply.objects.create(
            digest=name,
            team_id=1,
            fingerprint=b"",
            request_id=uuid4(),
            value=b"sealed",
            at=now - timedelta(hours=hours),
        )
    purges.sweep(now)
    assert [bytes(each.digest) for each in KeptReply.objects.all()] == [b"new"]


def test_the_command_shows_and_purges(teams: tuple[Team, Team]) -> None:
    search, _ = teams
    lay(search, "fast")
    (lot,) = command("show")["shared"]
    assert (lot["team"], lot["route"], lot["answers"], lot["size"]) == ("Search", "fast", 1, 10)
    assert command("purge", "--team", "search")["purged"] == 1
    assert command("show") == {"shared": []}
    with pytest.raises(CommandError, match="no team 'Nobody'"):
        command("purge", "--team", "Nobody")


@pytest.fixture
def on_redis(redis_server: RedisServer, settings: Any) -> Iterator[Redis]:
    settings.GAIWEB = settings.GAIWEB.model_copy(update={"redis_url": redis_server.url})
    with Redis.from_url(redis_server.url) as redis:
        yield redis


@pytest.mark.redis
def test_on_redis_lots_are_counted_and_purged_alike(on_redis: Redis, redis_server: Any) -> None:

    async def fill() -> None:
        store = RedisAnswers(redis_server.url, Sealer(b"r" * 32), ttl_s=60)
        kept = KeptAnswer(b"x", timezone.now())
        for number, (team, route) in enumerate([(1, "a:*"), (1, "b"), (2, "b")]):
            await store.put(AnswerKey(bytes([number]) * 32, team, route), kept)
        await store.aclose()

    asyncio.run(fill())
    assert [(lot.team_id, lot.route, lot.answers) for lot in shelf.lots()] == [
        (1, "a:*", 1),
        (1, "b", 1),
        (2, "b", 1),
    ]
    assert shelf.clear(1, "a:*") == 1
    assert shelf.clear(None, "b") == 2
    assert shelf.lots() == []


def test_a_redis_that_is_away_is_said(settings: Any) -> None:
    settings.GAIWEB = settings.GAIWEB.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})
    with pytest.raises(shelf.ShelfAway):
        shelf.lots()
