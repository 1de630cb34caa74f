from __future__ import annotations

import asyncio

import pytest

from providers.engine.errors import CircuitOpen, UpstreamThrottled, UpstreamUnavailable
from providers.engine.events import TextDelta
from providers.engine.pipeline import Engine
from providers.engine.ports import BreakerWord
from tests.fakes import CALLER, Recorder, Script, a_deployment, a_request, a_route, an_answer

DOWN = UpstreamUnavailable("down.")
FIRST = a_deployment()


async def ask(engine: Engine) -> None:
    async with engine.open(a_request(), CALLER, a_route(FIRST)) as answer:
        async for _ in answer.events:
            pass


async def fail(engine: Engine, times: int) -> None:
    for _ in range(times):
        with pytest.raises(UpstreamUnavailable):
            await ask(engine)


def word(engine: Engine) -> BreakerWord:
    return engine.breakers.snapshot()[0].word


async def test_five_failures_in_a_row_open_it_and_nobody_is_sent_there(
    engine: Engine, script: Script, recorder: Recorder
) -> None:
    script.plays_for(FIRST, [DOWN])
    await fail(engine, 5)
    with pytest.raises(CircuitOpen) as caught:
        await ask(engine)
    assert caught.value.retry_after_s == pytest.approx(30)
    assert len(script.opened) == 5
    assert recorder.breakers == [(FIRST.name, "open")]
    (state,) = engine.breakers.snapshot()
    assert (state.word, state.consecutive_failures) == (BreakerWord.OPEN, 5)
    assert state.opened_at is not None


async def test_a_success_between_failures_keeps_it_closed(engine: Engine, script: Script) -> None:
    script.plays_for(FIRST, *[[DOWN]] * 4, an_answer(), *[[DOWN]] * 4, an_answer())
    await fail(engine, 4)
    await ask(engine)
    await fail(engine, 4)
    await ask(engine)
    assert word(engine) is BreakerWord.CLOSED


async def test_after_its_rest_three_good_probes_close_it(engine: Engine, script: Script) -> None:
    script.plays_for(FIRST, *[[DOWN]] * 5, an_answer())
    await fail(engine, 5)
    await asyncio.sleep(30)
    assert word(engine) is BreakerWord.HALF_OPEN
    await ask(engine)
    await ask(engine)
    assert word(engine) is BreakerWord.HALF_OPEN
    await ask(engine)
    assert word(engine) is BreakerWord.CLOSED


async def test_one_failed_probe_opens_it_again(engine: Engine, script: Script) -> None:
    script.plays_for(FIRST, [DOWN])
    await fail(engine, 5)
    await asyncio.sleep(30)
    await fail(engine, 1)
    with pytest.raises(CircuitOpen):
        await ask(engine)


async def test_half_open_admits_five_at_once_and_cancelled_ones_give_their_permit_back(
    engine: Engine, script: Script
) -> None:
    script.plays_for(FIRST, *[[DOWN]] * 5, [TextDelta("..."), asyncio.Event()])
    await fail(engine, 5)
    await asyncio.sleep(30)
    probes = [asyncio.create_task(ask(engine)) for _ in range(5)]
    await asyncio.sleep(1)
    with pytest.raises(CircuitOpen):
        await ask(engine)
    for probe in probes:
        probe.cancel()
    await asyncio.wait(probes)
    script.plays_for(FIRST, an_answer())
    await ask(engine)


async def test_a_rate_limit_says_nothing_of_health(engine: Engine, script: Script) -> None:
    script.plays_for(FIRST, [UpstreamThrottled("slow down.")])
    for _ in range(9):
        with pytest.raises(UpstreamThrottled):
            await ask(engine)
    assert word(engine) is BreakerWord.CLOSED


async def test_a_cut_in_the_middle_counts_as_a_failure(engine: Engine, script: Script) -> None:
    script.plays_for(FIRST, [TextDelta("Half"), DOWN])
    await fail(engine, 5)
    assert word(engine) is BreakerWord.OPEN
