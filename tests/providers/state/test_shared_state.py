"""Two web processes and a worker, each an engine with a connection of its own, on one Redis."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import REGISTRY

from providers.engine.buckets import LocalLimiter
from providers.engine.circuits import LocalCircuits
from providers.engine.errors import CircuitOpen, RateLimited, UpstreamUnavailable
from providers.engine.pipeline import Engine
from providers.engine.ports import BreakerLimits, BreakerWord, Draw, Lease
from providers.engine.quotas import Quota, Quotas
from providers.state.ended import ended
from providers.state.redis_circuits import RedisCircuits
from providers.state.redis_limiter import RedisLimiter
from providers.state.redis_link import RedisLink
from providers.state.shared import Shared, Sharing
from tests.fakes import (
    CALLER,
    MemoryLedger,
    NoSecrets,
    Recorder,
    Script,
    a_deployment,
    a_request,
    a_route,
    an_answer,
)
from tests.redis_server import RedisServer

pytestmark = pytest.mark.redis

DOWN = UpstreamUnavailable("down.")
FIRST = a_deployment(requests_per_second=1000.0, burst=1000)


@dataclass
class Process:
    """What one process has of its own."""

    engine: Engine
    link: RedisLink
    limiter: RedisLimiter
    script: Script
    recorder: Recorder
    shared: Shared

    async def ask(self, caller: Any = CALLER) -> None:
        async with self.engine.open(a_request(), caller, a_route(FIRST)) as answer:
            async for _ in answer.events:
                pass
        await self.link.flush()

    async def fail(self, times: int) -> None:
        self.script.plays_for(FIRST, [DOWN])
        for _ in range(times):
            with pytest.raises(UpstreamUnavailable):
                await self.ask()
            await self.link.flush()

    @property
    def word(self) -> BreakerWord:
        return self.engine.breakers.snapshot()[0].word


async def a_process(stack: AsyncExitStack, url: str, **more: Any) -> Process:
    loop = asyncio.get_running_loop()
    link = RedisLink(url, patience_s=0.5, pause_s=0.05)
    local = LocalCircuits(loop.time, lambda: datetime.now(UTC), random.random)
    circuits = RedisCircuits(link, local, loop.time, random.random, every_s=0.05)
    limiter = RedisLimiter(link, LocalLimiter(loop.time))
    script, recorder = Script(), Recorder()
    engine = Engine(
        adapters={"script": script},
        ledger=MemoryLedger(),
        secrets=NoSecrets(),
        observer=recorder,
        now=loop.time,
        sleep=asyncio.sleep,
        random=random.random,
        utcnow=lambda: datetime.now(UTC),
        circuits=circuits,
        limiter=limiter,
        **more,
    )
    shared = Shared(link, circuits, limiter)
    await shared.start()
    stack.push_async_callback(shared.stop)
    return Process(engine, link, limiter, script, recorder, shared)


@pytest.fixture
async def processes(redis_server: RedisServer) -> AsyncIterator[list[Process]]:
    async with AsyncExitStack() as stack:
        limits = BreakerLimits(rest_s=0.3)
        yield [await a_process(stack, redis_server.url, breaker_limits=limits) for _ in range(3)]


async def until(what: Any, within_s: float = 3.0) -> None:
    async with asyncio.timeout(within_s):
        while not what():  # noqa: ASYNC110 - it changes in other processes, so to speak
            await asyncio.sleep(0.01)


async def test_two_web_processes_and_a_worker_share_one_breaker(
    processes: list[Process],
) -> None:
    web, other, worker = processes
    await web.fail(2)
    await other.fail(2)
    await worker.fail(1)
    for each in processes:
        with pytest.raises(CircuitOpen):
            await each.ask()
        await until(lambda each=each: each.word is BreakerWord.OPEN)
        assert each.engine.breakers.snapshot()[0].consecutive_failures == 5
    await asyncio.sleep(0.3)
    for each in processes:
        each.script.plays_for(FIRST, an_answer())
        await each.ask()
    for each in processes:
        await until(lambda each=each: each.word is BreakerWord.CLOSED)
    # Everybody hears of every transition, and exactly one process made it.
    made = sorted(
        change.after for each in processes for change in each.recorder.changes if change.made_here
    )
    assert made == ["closed", "half-open", "open"]
    assert {"open", "closed"} <= {change.after for change in other.recorder.changes}


async def test_a_reset_in_one_process_closes_it_in_all(processes: list[Process]) -> None:
    web, other, _ = processes
    web.engine.breakers.limits = other.engine.breakers.limits = BreakerLimits(rest_s=60)
    await web.fail(5)
    await until(lambda: other.engine.breakers.snapshot() and other.word is BreakerWord.OPEN)
    other.engine.breakers.reset(FIRST.id)
    await other.link.flush()
    web.script.plays_for(FIRST, an_answer())
    await web.ask()


async def test_they_share_one_rate(processes: list[Process]) -> None:
    for each in processes:
        each.engine.caller_limits.quotas = Quotas(key=Quota(requests=30))

    async def ask(each: Process) -> bool:
        try:
            await each.ask()
        except RateLimited:
            return False
        return True

    passed = await asyncio.gather(*(ask(each) for _ in range(30) for each in processes))
    # A request comes back every two seconds; the test takes less.
    assert 30 <= sum(passed) <= 31


async def test_they_share_the_places_of_a_key(processes: list[Process]) -> None:
    one = [Lease("key:5", f"call {number}", 2, 60) for number in range(3)]
    web, other, worker = processes
    assert (await web.limiter.take([], [one[0]])).short is None
    assert (await other.limiter.take([], [one[1]])).short is None
    assert (await worker.limiter.take([], [one[2]])).short == one[2]
    web.limiter.release([one[0]])
    await web.link.flush()
    assert (await worker.limiter.take([], [one[2]])).short is None


async def test_whoever_is_cancelled_while_redis_answers_leaves_nothing_taken(
    processes: list[Process],
) -> None:
    web, other, _ = processes
    draw, place = Draw("k", 1, 0.001, 1), Lease("p", "me", 1, 60)
    asked = asyncio.create_task(web.limiter.take([draw], [place]))
    await asyncio.sleep(0)
    asked.cancel()
    await asyncio.wait([asked])
    await until(lambda: not web.link._waiting and web.link._sending is None)
    await asyncio.sleep(0.05)
    assert (await other.limiter.take([draw], [place])).short is None


async def test_redis_stopped_in_the_middle_local_again_at_once_and_shared_when_it_is_back(
    processes: list[Process], redis_server: RedisServer
) -> None:
    web, other, _ = processes
    loop = asyncio.get_running_loop()
    for each in processes:
        each.engine.breakers.limits = BreakerLimits(rest_s=60)
    await web.fail(5)
    await until(lambda: other.engine.breakers.snapshot() and other.word is BreakerWord.OPEN)
    redis_server.stop()
    # What rested goes on resting, and nobody waits for a server that is gone.
    began = loop.time()
    for _ in range(20):
        for each in (web, other):
            with pytest.raises(CircuitOpen):
                await each.ask()
    assert loop.time() - began < 1.0
    assert web.shared.sharing is Sharing.AWAY
    assert REGISTRY.get_sample_value("gai_shared_state_up") == 0
    assert web.word is other.word is BreakerWord.OPEN
    # Each counts for itself now.
    for each in processes:
        each.engine.breakers.reset(FIRST.id)
        each.script.plays_for(FIRST, an_answer())
        await each.ask()
    await web.fail(5)
    assert (web.word, other.word) == (BreakerWord.OPEN, BreakerWord.CLOSED)
    redis_server.start()
    await until(lambda: all(each.link.is_up for each in processes))
    assert web.shared.sharing is Sharing.SHARED
    assert REGISTRY.get_sample_value("gai_shared_state_up") == 1
    # What a process found out meanwhile is told to all.
    await until(lambda: other.engine.breakers.snapshot() and other.word is BreakerWord.OPEN)


async def test_nothing_is_lost_while_redis_comes_and_goes(
    processes: list[Process], redis_server: RedisServer
) -> None:
    for each in processes:
        each.engine.caller_limits.quotas = Quotas(key=Quota(requests=100_000, parallel=50))
        each.script.plays_for(FIRST, an_answer())
    answered = 0
    stopping = asyncio.Event()

    async def keep_asking(each: Process) -> None:
        nonlocal answered
        while not stopping.is_set():
            await each.ask()
            answered += 1
            await asyncio.sleep(0.002)

    asking = [asyncio.create_task(keep_asking(each)) for each in processes]
    for _ in range(2):
        await asyncio.sleep(0.2)
        await asyncio.to_thread(redis_server.stop)
        await asyncio.sleep(0.2)
        await asyncio.to_thread(redis_server.start)
    await until(lambda: all(each.link.is_up for each in processes))
    stopping.set()
    await asyncio.gather(*asking)
    assert answered > 50
    for each in processes:
        assert each.limiter.local._places == {}


async def test_a_server_that_lost_its_scripts_is_taught_again(
    processes: list[Process], redis_server: RedisServer
) -> None:
    web = processes[0]
    await web.ask()
    await web.link._redis.script_flush()
    await web.ask()
    assert web.link.is_up


async def test_without_a_server_a_process_begins_by_itself(redis_server: RedisServer) -> None:
    redis_server.stop()
    async with AsyncExitStack() as stack:
        alone = await a_process(stack, redis_server.url)
        assert not alone.link.is_up
        await alone.ask()
        redis_server.start()
        await until(lambda: alone.link.is_up)
        await alone.ask()


async def test_a_task_whose_client_swallows_the_cancel_ends_all_the_same():
    async def deaf_once() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        await asyncio.sleep(60)

    task = asyncio.create_task(deaf_once())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await ended(task)
    assert task.cancelled()


async def test_keys_go_away_by_themselves(
    processes: list[Process], redis_server: RedisServer
) -> None:
    web = processes[0]
    web.engine.caller_limits.quotas = Quotas(key=Quota(requests=5, parallel=5))
    await web.fail(5)
    names = await web.link._redis.keys("*")
    assert len(names) >= 3
    for name in names:
        assert await web.link._redis.pttl(name) > 0, name
