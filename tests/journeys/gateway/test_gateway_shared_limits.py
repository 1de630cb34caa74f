"""Two web processes and a worker on one Redis: one rate, one breaker; Redis stops half-way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.db import connection

from conversations.models import BatchJob
from tests.journeys.gateway.world import Server, Worker, World, eventually
from tests.redis_server import RedisServer
from tests.upstream import FakeUpstream

pytestmark = pytest.mark.redis

HI: Any = [{"role": "user", "content": "hi"}]
RPM = 12


@dataclass
class Pair:
    """The same world through either web process, and the worker beside them."""

    worlds: tuple[World, World]
    worker: Worker
    redis: RedisServer

    def ask(self, which: int, route: str) -> httpx.Response:
        return self.worlds[which].post({"model": route, "messages": HI})


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RedisServer]:
    """Keep the queue on a server of its own, which is not the one that goes away."""
    folder = tmp_path / "broker"
    folder.mkdir()
    server = RedisServer(folder)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def pair(
    tmp_path: Path,
    upstream: FakeUpstream,
    committed: Any,
    redis_server: RedisServer,
    broker: RedisServer,
) -> Iterator[Pair]:
    shared = {
        "REDIS_URL": redis_server.url,
        "GAIWEB_KEY_RPM": str(RPM),
        "GAIWEB_BREAKER_RESET_S": "600",
        "GAIWEB_BACKOFF_BASE_S": "0.001",
        "GAIWEB_BACKOFF_MAX_S": "0.001",
    }
    with ExitStack() as stack:
        worker = stack.enter_context(Worker.running(tmp_path / "log", broker.url, **shared))
        logs = (tmp_path / "one.log", tmp_path / "two.log")
        web = {**shared, "CELERY_BROKER_URL": broker.url}
        one, two = (stack.enter_context(Server.running(log, **web)) for log in logs)
        world = World.made(one, upstream, committed)
        connection.close()
        yield Pair((world, replace(world, server=two)), worker, redis_server)
        world.close()


def test_three_processes_keep_one_rate_and_one_breaker_and_go_on_without_redis(
    pair: Pair,
) -> None:
    good = pair.worlds[0].route("ok")
    eventually(lambda: pair.ask(1, good).status_code == 200)
    answers = [pair.ask(number % 2, good) for number in range(RPM + 4)]
    passed = [answer for answer in answers if answer.status_code == 200]
    refused = [answer for answer in answers if answer.status_code == 429]
    # One was asked before; a slot comes back every five seconds.
    assert RPM - 1 <= len(passed) <= RPM + 1
    assert passed[0].headers["x-ratelimit-limit-requests"] == str(RPM)
    remaining = [int(answer.headers["x-ratelimit-remaining-requests"]) for answer in passed]
    assert remaining == sorted(remaining, reverse=True)
    assert 1 <= int(refused[-1].headers["retry-after"]) <= 5
    assert refused[-1].headers["x-should-retry"] == "true"
    assert refused[-1].headers["x-ratelimit-remaining-requests"] == "0"
    assert refused[-1].json()["error"]["code"] == "rate_limit_exceeded"

    # Three tries a request: the second request, at the other process, fills the five.
    bad = pair.worlds[0].route("fox-503")
    other = World.made(pair.worlds[0].server, pair.worlds[0].upstream, pair.worlds[0].books)
    connection.close()
    worlds = (other, replace(other, server=pair.worlds[1].server))
    pair = replace(pair, worlds=worlds)
    eventually(lambda: bad in pair.worlds[1].models())
    codes = [pair.ask(which, bad).json()["error"]["code"] for which in (0, 1, 0, 1)]
    assert codes[-2:] == ["circuit_open", "circuit_open"]

    # What the web has found failing rests for the worker, too, and the other way round.
    asked = len(other.upstream.calls)
    kept_off = rows(pair, other.batch(bad, "hi"), lambda row: row[1] is not None)
    assert kept_off == [("waiting", "circuit_open")]
    assert len(other.upstream.calls) == asked
    worse = pair.worlds[0].route("fox-503")
    eventually(lambda: worse in pair.worlds[1].models())
    found = rows(pair, other.batch(worse, "one", "two"), lambda row: row[1] is not None)
    assert {state for state, _ in found} == {"waiting"}
    codes = [pair.ask(which, worse).json()["error"]["code"] for which in (0, 1)]
    assert codes == ["circuit_open", "circuit_open"]

    # Nothing waits for Redis when it is gone, nothing is lost, and what rests goes on resting.
    pair.redis.stop()
    answers = [pair.ask(number % 2, good) for number in range(4)]
    assert [answer.status_code for answer in answers] == [200] * 4
    assert max(answer.elapsed.total_seconds() for answer in answers) < 2
    assert pair.ask(0, bad).json()["error"]["code"] == "circuit_open"
    many = other.batch(good, "one", "two", "three")
    assert set(rows(pair, many, lambda row: row[0] == "done")) == {("done", None)}
    for world in pair.worlds:
        assert shared(world) == "0.0"
    pair.redis.start()
    for world in pair.worlds:
        eventually(lambda world=world: shared(world) == "1.0")
    for world in {id(world.team): world for world in pair.worlds}.values():
        world.settled()
        world.close()


def rows(
    pair: Pair, batch: BatchJob, are: Callable[[tuple[str, Any]], bool]
) -> list[tuple[str, Any]]:
    """State and last error of its rows, once all of them `are` so."""

    def found() -> Any:
        states = (
            pair
            .worlds[0]
            .books.execute(
                "SELECT state, error->>'code' FROM conversations_batchitem WHERE batch_id = %s",
                [batch.pk],
            )
            .fetchall()
        )
        return states if all(map(are, states)) else None

    pair.worker.ring()
    return eventually(found, 60)  # type: ignore[no-any-return]


def shared(world: World) -> str:
    """Read what the process says of itself to Prometheus."""
    with httpx.Client(trust_env=False) as http:
        lines = http.get(world.server.url + "/metrics").text.splitlines()
    return next(line.split()[1] for line in lines if line.startswith("gai_shared_state_up"))
