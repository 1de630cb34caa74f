"""Hits and misses through the whole pipeline, with a scripted provider."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from providers.engine.call import Call, Caller, Source, Tier
from providers.engine.errors import NotCached, StreamCut, UpstreamUnavailable
from providers.engine.events import (
    Citation,
    Citations,
    Event,
    Finish,
    FinishReason,
    Notice,
    NoticeKind,
    ReasoningDelta,
    Start,
    TextDelta,
    ToolCalled,
    UsageReported,
)
from providers.engine.kept_answer import unpacked
from providers.engine.pipeline import Engine
from providers.engine.ports import AnswerKey, KeptAnswer, Purge
from providers.engine.request import Caching, Reasoning, ToolCall
from providers.engine.steps.cache import Limits
from providers.engine.usage import Usage
from tests.engine.conftest import an_engine, utcnow
from tests.fakes import (
    CALLER,
    MemoryLedger,
    Recorder,
    Script,
    a_deployment,
    a_request,
    a_route,
    an_answer,
)

FIRST, SECOND = a_deployment(1), a_deployment(2)
OTHER_TEAM = Caller(Source.GATEWAY, user_id=2, team_id=2, key_id=2)


@dataclass
class Memory:
    """A tier that keeps everything; `silent` never answers."""

    tier: Tier
    kept: dict[bytes, KeptAnswer] = field(default_factory=dict)
    silent: bool = False

    async def get(self, key: AnswerKey) -> KeptAnswer | None:
        if self.silent:
            await asyncio.Event().wait()
        return self.kept.get(key.digest)

    async def put(self, key: AnswerKey, kept: KeptAnswer) -> None:
        if self.tier is Tier.SHARED:
            await asyncio.sleep(0.1)
        self.kept[key.digest] = kept


@pytest.fixture
def local() -> Memory:
    return Memory(Tier.LOCAL)


@pytest.fixture
def shared() -> Memory:
    return Memory(Tier.SHARED)


@pytest.fixture
def engine(
    script: Script, ledger: MemoryLedger, recorder: Recorder, local: Memory, shared: Memory
) -> Engine:
    return an_engine(script, ledger, recorder, cache_tiers=(local, shared), cache_secret=b"k" * 32)


async def ask(
    engine: Engine,
    text: str = "Hello",
    caller: Caller = CALLER,
    *deployments: Any,
    only: bool = False,
    **request: Any,
) -> tuple[Call, list[Event]]:
    asked = a_request(text, **{"temperature": 0.0, **request})
    async with engine.open(asked, caller, a_route(*deployments)) as answer:
        events = [event async for event in answer.events]
    return answer.call, events


async def ask_cache_only(engine: Engine) -> Call:
    call = Call(a_request(temperature=0.0), CALLER, a_route(), deadline=2000.0, is_cache_only=True)

    def nothing_goes_upstream(_: Call) -> Any:
        raise AssertionError

    async with engine.cache.open(call, nothing_goes_upstream) as stream:
        async for _ in stream.events:
            pass
    return call


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


async def test_the_second_of_two_same_prompts_costs_nothing_and_asks_nobody(
    engine: Engine, script: Script, ledger: MemoryLedger, recorder: Recorder
) -> None:
    first, _ = await ask(engine)
    second, events = await ask(engine)
    assert script.opened == ["provider1/model1"]
    assert len(ledger.intents) == 1
    assert (first.hit, first.cost_nano) == (None, 7_000)
    assert (second.attempts, second.cost_nano) == ([], 0)
    assert second.usage == Usage(3, 2)
    assert recorder.calls == [None, None]
    assert recorder.asked == [None, Tier.LOCAL]
    assert text_of(events) == "Hi"


async def test_a_hit_says_its_age_its_tier_who_gave_it_and_what_it_saved(
    engine: Engine, ledger: MemoryLedger
) -> None:
    await ask(engine)
    await asyncio.sleep(300)
    call, events = await ask(engine)
    assert call.hit is not None
    assert (call.hit.deployment, call.hit.tier) == (FIRST, Tier.LOCAL)
    assert call.hit.age_s == pytest.approx(300)
    assert call.hit.saved_nano == 7_000
    assert ledger.hits == [call.hit]
    words = "This answer is from the cache, 5 minutes old. It cost nothing."
    assert events[:2] == [Start("provider1/model1", 0), Notice(NoticeKind.CACHED, words)]


async def test_another_team_never_gets_the_answer(engine: Engine, script: Script) -> None:
    script.plays_for(FIRST, an_answer("secret of team 1"), an_answer("of team 2"))
    await ask(engine)
    call, events = await ask(engine, "Hello", OTHER_TEAM)
    assert call.hit is None
    assert text_of(events) == "of team 2"


async def test_a_stream_is_replayed_as_a_stream_and_plain_as_plain(
    engine: Engine, script: Script
) -> None:
    long = "word " * 100
    script.plays_for(FIRST, an_answer(*long))
    await ask(engine, stream=True)
    _, streamed = await ask(engine, stream=True)
    _, plain = await ask(engine, stream=False)
    assert len([event for event in streamed if isinstance(event, TextDelta)]) > 5
    assert [event for event in plain if isinstance(event, TextDelta)] == [TextDelta(long)]
    assert text_of(streamed) == long
    assert streamed[-2:] == [UsageReported(Usage(3, 2)), Finish(FinishReason.STOP)]


async def test_thoughts_with_their_seals_and_citations_come_back_as_they_were(
    engine: Engine, script: Script
) -> None:
    sealed = Reasoning("Hm.", signature="seal", wire="anthropic_messages")
    cited = Citations((Citation(url="https://example.org", start=0, end=2),))
    said: list[Event] = [
        ReasoningDelta("H"),
        ReasoningDelta("m.", sealed),
        ReasoningDelta("Next"),
        TextDelta("Hi"),
        cited,
        UsageReported(Usage(3, 2, reasoning_tokens=1)),
        Finish(FinishReason.STOP),
    ]
    script.plays_for(FIRST, said)  # type: ignore[arg-type]
    await ask(engine)
    call, events = await ask(engine)
    assert call.hit is not None
    assert events[2:] == [ReasoningDelta("Hm.", sealed), *said[2:]]


@pytest.mark.parametrize(
    "play",
    [
        pytest.param([TextDelta("Hi"), Finish(FinishReason.LENGTH)], id="truncated"),
        pytest.param([TextDelta("Hi"), Finish(FinishReason.CONTENT_FILTER)], id="filtered"),
        pytest.param(
            [TextDelta("I cannot", is_refusal=True), Finish(FinishReason.STOP)], id="refused"
        ),
        pytest.param([TextDelta("x" * 10_001), Finish(FinishReason.STOP)], id="long"),
        pytest.param(
            [ToolCalled(0, ToolCall("1", "f", "{}")), Finish(FinishReason.TOOL_CALLS)], id="tools"
        ),
        pytest.param([Finish(FinishReason.STOP)], id="empty"),
    ],
)
async def test_an_answer_is_not_kept_when_it_is(
    engine: Engine, script: Script, recorder: Recorder, play: list[Event]
) -> None:
    script.plays_for(FIRST, play)
    await ask(engine)
    call, _ = await ask(engine)
    assert call.hit is None
    assert recorder.kept == []


async def test_an_answer_that_failed_half_way_is_not_kept(engine: Engine, script: Script) -> None:
    script.plays_for(FIRST, [TextDelta("Half")], an_answer())
    with pytest.raises(StreamCut):
        await ask(engine)
    call, _ = await ask(engine)
    assert call.hit is None


async def test_an_answer_that_its_reader_left_is_not_kept(engine: Engine, script: Script) -> None:
    async with engine.open(a_request(temperature=0.0), CALLER, a_route()) as answer:
        await anext(aiter(answer.events))
    call, _ = await ask(engine)
    assert call.hit is None


async def test_a_hundred_same_prompts_at_once_are_asked_once(
    engine: Engine, script: Script
) -> None:
    script.plays_for(FIRST, [1.0, *an_answer()])
    answers = await asyncio.gather(*(ask(engine) for _ in range(100)))
    assert len(script.opened) == 1
    assert sum(call.hit is not None for call, _ in answers) == 99
    assert {text_of(events) for _, events in answers} == {"Hi"}


async def test_who_waits_for_a_leader_that_fails_goes_on_alone(
    engine: Engine, script: Script
) -> None:
    down = UpstreamUnavailable("down.")
    script.plays_for(FIRST, [1.0, down], an_answer())
    answers = await asyncio.gather(*(ask(engine) for _ in range(5)), return_exceptions=True)
    assert [type(each) for each in answers].count(UpstreamUnavailable) == 1
    assert len(script.opened) == 5


async def test_who_waits_for_a_leader_that_is_cancelled_goes_on_alone(
    engine: Engine, script: Script
) -> None:
    script.plays_for(FIRST, [5.0, *an_answer()], an_answer())
    leader = asyncio.create_task(ask(engine))
    await asyncio.sleep(1)
    waiter = asyncio.create_task(ask(engine))
    await asyncio.sleep(1)
    leader.cancel()
    call, _ = await waiter
    assert call.hit is None


async def test_nobody_waits_longer_for_a_leader_than_the_limit(
    engine: Engine, script: Script
) -> None:
    engine.cache.limits = Limits(longest_wait_s=2)
    script.plays_for(FIRST, [20.0, *an_answer()], an_answer())
    leader = asyncio.create_task(ask(engine))
    await asyncio.sleep(1)
    began = asyncio.get_running_loop().time()
    call, _ = await ask(engine)
    assert call.hit is None
    assert asyncio.get_running_loop().time() - began == pytest.approx(2, abs=0.01)
    await leader


async def test_an_answer_expires_and_an_old_one_serves_in_emergency_alone(
    engine: Engine, script: Script
) -> None:
    engine.cache.limits = Limits(ttl_s=60, stale_ttl_s=600)
    await ask(engine)
    await asyncio.sleep(61)
    assert (await ask_cache_only(engine)).hit is not None
    call, _ = await ask(engine)
    assert call.hit is None


async def test_a_call_that_may_only_be_answered_from_the_cache_goes_nowhere_else(
    engine: Engine,
) -> None:
    with pytest.raises(NotCached):
        await ask_cache_only(engine)


async def test_without_tiers_nothing_is_kept_and_a_cache_only_call_says_so(
    script: Script, ledger: MemoryLedger, recorder: Recorder
) -> None:
    engine = an_engine(script, ledger, recorder)
    await ask(engine)
    call, _ = await ask(engine)
    assert call.hit is None
    with pytest.raises(NotCached):
        await ask_cache_only(engine)


async def test_a_hit_of_the_far_tier_is_brought_near(
    engine: Engine, local: Memory, shared: Memory
) -> None:
    await ask(engine)
    await engine.drain()
    local.kept.clear()
    far, _ = await ask(engine)
    near, _ = await ask(engine)
    assert far.hit is not None
    assert near.hit is not None
    assert (far.hit.tier, near.hit.tier) == (Tier.SHARED, Tier.LOCAL)


async def test_a_tier_that_does_not_answer_is_a_miss_within_its_patience(
    engine: Engine, local: Memory, shared: Memory
) -> None:
    shared.silent = True
    began = asyncio.get_running_loop().time()
    call, _ = await ask(engine)
    assert call.hit is None
    assert asyncio.get_running_loop().time() - began == pytest.approx(0.5, abs=0.01)


async def test_what_was_purged_is_a_miss_wherever_it_still_lies(
    engine: Engine, script: Script
) -> None:
    await ask(engine)
    engine.cache.purges = [Purge(utcnow(), team_id=2), Purge(utcnow(), route="other")]
    assert (await ask(engine))[0].hit is not None
    engine.cache.purges = [Purge(utcnow(), team_id=1, route="gpt")]
    assert (await ask(engine))[0].hit is None
    await asyncio.sleep(1)
    assert (await ask(engine))[0].hit is None, "kept in the very moment of the purge"
    assert (await ask(engine))[0].hit is not None


async def test_what_is_broken_in_a_tier_is_a_miss(engine: Engine, local: Memory) -> None:
    await ask(engine)
    for digest in local.kept:
        local.kept[digest] = KeptAnswer(b'{"version": 1}', utcnow())
    call, _ = await ask(engine)
    assert call.hit is None


async def test_what_is_kept_is_bytes_that_nobody_shares(engine: Engine, local: Memory) -> None:
    await ask(engine)
    (kept,) = local.kept.values()
    assert isinstance(kept.value, bytes)
    assert unpacked(kept.value) is not unpacked(kept.value)


async def test_an_answer_by_fallback_names_who_gave_it_when_it_comes_again(
    engine: Engine, script: Script
) -> None:
    script.plays_for(FIRST, [UpstreamUnavailable("down.")])
    await ask(engine, "Hello", CALLER, FIRST, SECOND)
    call, _ = await ask(engine, "Hello", CALLER, FIRST, SECOND)
    assert call.hit is not None
    assert call.hit.deployment == SECOND


async def test_who_bypasses_the_cache_neither_reads_nor_keeps(
    engine: Engine, script: Script
) -> None:
    await ask(engine, cache=Caching.OFF)
    assert (await ask(engine))[0].hit is None
    assert (await ask(engine, cache=Caching.OFF))[0].hit is None
