"""The tiers of the cache: bounded, sealed, and apart by team."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from providers.engine.ports import AnswerKey, AnswerStore, KeptAnswer, Purge
from providers.ledger.pool import connect
from providers.state.local_answers import LocalAnswers
from providers.state.postgres_answers import PostgresAnswers
from providers.state.redis_answers import RedisAnswers
from providers.state.sealed_answers import Sealer
from tests.redis_server import RedisServer

NOW = datetime(2026, 11, 27, 12, 0, 0, 123456, tzinfo=UTC)
SEALER = Sealer(b"r" * 32)


def a_key(number: int = 1, team: int = 1, route: str = "gpt") -> AnswerKey:
    return AnswerKey(bytes([number]) * 32, team, route)


def an_answer(size: int = 100, at: datetime = NOW) -> KeptAnswer:
    return KeptAnswer(b"canary " + b"x" * (size - 7), at)


class Watch:
    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        return self.at


async def test_memory_is_bounded_and_the_least_recently_used_goes_first() -> None:
    store = LocalAnswers(Watch(), most_bytes=250, ttl_s=60)
    for number in (1, 2):
        await store.put(a_key(number), an_answer())
    await store.get(a_key(1))
    await store.put(a_key(3), an_answer())
    assert await store.get(a_key(2)) is None
    assert await store.get(a_key(1)) is not None
    assert (len(store), store.size) == (2, 200)
    await store.put(a_key(4), an_answer(251))
    assert await store.get(a_key(4)) is None
    assert store.size == 200


async def test_memory_forgets_what_is_too_old_and_what_is_purged() -> None:
    watch = Watch()
    store = LocalAnswers(watch, most_bytes=1000, ttl_s=60)
    await store.put(a_key(1), an_answer())
    await store.put(a_key(2, team=2), an_answer())
    store.forget([Purge(NOW, team_id=2)])
    assert await store.get(a_key(2, team=2)) is None
    assert await store.get(a_key(1)) is not None
    watch.at += timedelta(seconds=61)
    assert await store.get(a_key(1)) is None
    assert store.size == 0


def test_a_box_opens_under_its_own_digest_and_ring_alone() -> None:
    kept = an_answer()
    box = SEALER.seal(a_key(), kept)
    assert SEALER.unseal(a_key(), box) == kept
    assert SEALER.unseal(a_key(2), box) is None
    assert Sealer(b"o" * 32).unseal(a_key(), box) is None
    for place in range(len(box)):
        altered = box[:place] + bytes([box[place] ^ 1]) + box[place + 1 :]
        assert SEALER.unseal(a_key(), altered) is None
    assert SEALER.unseal(a_key(), b"") is None


def test_what_lies_outside_is_packed_and_shows_nothing() -> None:
    box = SEALER.seal(a_key(), an_answer(10_000))
    assert b"canary" not in box
    assert len(box) < 200
    assert len(SEALER.secret) == 32
    assert Sealer(b"o" * 32).secret != SEALER.secret


@pytest.fixture
async def postgres(books: object, conninfo: str) -> AsyncIterator[AnswerStore]:
    pool = await connect(conninfo)
    async with pool.connection() as connection:
        await connection.execute("DELETE FROM providers_cachedanswer")
    yield PostgresAnswers(pool, SEALER)
    async with pool.connection() as connection:
        await connection.execute("DELETE FROM providers_cachedanswer")
    await pool.close()


@pytest.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator[AnswerStore]:
    store = RedisAnswers(redis_server.url, SEALER, ttl_s=60)
    yield store
    await store.aclose()


async def keeps_answers_apart(store: AnswerStore) -> None:
    assert await store.get(a_key()) is None
    await store.put(a_key(), an_answer())
    again = an_answer(at=NOW + timedelta(seconds=1))
    await store.put(a_key(), again)
    assert await store.get(a_key()) == again
    assert await store.get(a_key(team=2)) is None


async def test_postgres_gives_what_was_put_under_its_key_and_team(postgres: AnswerStore) -> None:
    await keeps_answers_apart(postgres)


@pytest.mark.redis
async def test_redis_gives_what_was_put_under_its_key_and_team(redis: AnswerStore) -> None:
    await keeps_answers_apart(redis)


async def test_a_tier_that_is_away_is_a_miss_and_raises_nothing() -> None:
    store = RedisAnswers("redis://127.0.0.1:1/0", SEALER, ttl_s=60)
    await store.put(a_key(), an_answer())
    assert await store.get(a_key()) is None
    await store.aclose()
