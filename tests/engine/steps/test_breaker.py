from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from providers.engine.call import Caller
from providers.engine.errors import (
    CircuitOpen,
    CredentialRejected,
    QuotaExhausted,
    UpstreamError,
    UpstreamRejected,
    UpstreamThrottled,
    UpstreamUnavailable,
)
from providers.engine.events import TextDelta
from providers.engine.pipeline import Engine
from providers.engine.ports import BreakerChange, BreakerLimits, BreakerWord, Forced
from providers.engine.routes import Deployment
from tests.engine.conftest import an_engine, utcnow
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


async def test_a_failed_probe_opens_it_for_a_longer_rest_and_never_beyond_the_longest(
    script: Script, ledger: MemoryLedger, recorder: Recorder
) -> None:
    limits = BreakerLimits(longest_rest_s=200)
    for luck, rests in ((1.0, [30, 60, 120, 200, 200]), (0.0, [30, 30, 60, 100, 100])):
        engine = an_engine(
            script, ledger, recorder, breaker_limits=limits, random=lambda luck=luck: luck
        )
        script.plays_for(FIRST, [DOWN])
        await fail(engine, 5)
        for rest in rests:
            (state,) = engine.breakers.snapshot()
            assert state.retry_in_s == pytest.approx(rest)
            await asyncio.sleep(rest)
            await fail(engine, 1)


async def test_a_circuit_that_closed_begins_again_with_the_first_rest(
    engine: Engine, script: Script
) -> None:
    script.plays_for(FIRST, *[[DOWN]] * 6, *[an_answer()] * 3, [DOWN])
    await fail(engine, 5)
    await asyncio.sleep(30)
    await fail(engine, 1)
    await asyncio.sleep(60)
    for _ in range(3):
        await ask(engine)
    await fail(engine, 5)
    (state,) = engine.breakers.snapshot()
    assert state.retry_in_s == pytest.approx(30)


async def test_an_error_rate_over_a_minimum_volume_opens_it(
    script: Script, ledger: MemoryLedger, recorder: Recorder
) -> None:
    limits = BreakerLimits(volume=10, error_rate=0.6, window_s=60)
    engine = an_engine(script, ledger, recorder, breaker_limits=limits)
    script.plays_for(FIRST, *[an_answer(), [DOWN], [DOWN]] * 4)
    for _ in range(3):
        await ask(engine)
        await fail(engine, 2)
    assert word(engine) is BreakerWord.CLOSED
    assert engine.breakers.snapshot()[0].failed == 6
    await ask(engine)
    await fail(engine, 1)
    (state,) = engine.breakers.snapshot()
    assert state.word is BreakerWord.OPEN
    assert state.reason.startswith("7 of the last 11 failed within 60 s")
    assert recorder.changes[-1].reason == state.reason


async def test_results_that_left_the_window_count_no_more(engine: Engine, script: Script) -> None:
    engine.breakers.limits = BreakerLimits(volume=8, window_s=10)
    script.plays_for(FIRST, *[an_answer(), [DOWN]] * 30)
    for _ in range(30):
        await ask(engine)
        await fail(engine, 1)
        await asyncio.sleep(4)
    assert word(engine) is BreakerWord.CLOSED
    assert engine.breakers.snapshot()[0].total < 8


async def test_new_limits_hold_from_the_next_result(engine: Engine, script: Script) -> None:
    script.plays_for(FIRST, [DOWN])
    await fail(engine, 2)
    engine.breakers.limits = BreakerLimits(threshold=3)
    await fail(engine, 1)
    assert word(engine) is BreakerWord.OPEN


async def test_a_late_result_of_an_earlier_state_is_ignored(engine: Engine, script: Script) -> None:
    hang = asyncio.Event()
    script.plays_for(FIRST, [TextDelta("..."), hang, DOWN], *[[DOWN]] * 5, an_answer())
    late = asyncio.create_task(ask(engine))
    await asyncio.sleep(1)
    await fail(engine, 5)
    await asyncio.sleep(30)
    for _ in range(3):
        await ask(engine)
    hang.set()
    with pytest.raises(UpstreamUnavailable):
        await late
    (state,) = engine.breakers.snapshot()
    assert (state.word, state.consecutive_failures) == (BreakerWord.CLOSED, 0)


async def test_a_raised_bug_returns_its_permit(engine: Engine, script: Script) -> None:
    script.plays_for(FIRST, *[[DOWN]] * 5, [ZeroDivisionError()])
    await fail(engine, 5)
    await asyncio.sleep(30)
    for _ in range(9):
        with pytest.raises(ZeroDivisionError):
            await ask(engine)
    assert word(engine) is BreakerWord.HALF_OPEN


async def test_probes_that_never_report_do_not_keep_it_half_open_for_good(
    engine: Engine, script: Script
) -> None:
    script.plays_for(FIRST, *[[DOWN]] * 5, *[[TextDelta("..."), asyncio.Event()]] * 5, an_answer())
    await fail(engine, 5)
    await asyncio.sleep(30)
    stuck = [asyncio.create_task(ask(engine)) for _ in range(5)]
    await asyncio.sleep(59)
    with pytest.raises(CircuitOpen):
        await ask(engine)
    await asyncio.sleep(1)
    for _ in range(3):
        await ask(engine)
    assert word(engine) is BreakerWord.CLOSED
    for task in stuck:
        task.cancel()
    await asyncio.wait(stuck)


async def test_who_is_told_of_a_transition_may_ask_the_breaker_at_once(
    script: Script, ledger: MemoryLedger
) -> None:
    """Callbacks run when the transition is complete, under no lock."""
    told: list[BreakerWord] = []

    class Asking(Recorder):
        def breaker_changed(self, deployment: Deployment, change: BreakerChange) -> None:
            told.append(word(engine))

    engine = an_engine(script, ledger, Asking())
    script.plays_for(FIRST, *[[DOWN]] * 5, an_answer())
    await fail(engine, 5)
    await asyncio.sleep(30)
    for _ in range(3):
        await ask(engine)
    assert told == [BreakerWord.OPEN, BreakerWord.HALF_OPEN, BreakerWord.CLOSED]


async def test_a_teams_broken_key_does_not_rest_the_deployment_for_others(
    script: Script, ledger: MemoryLedger, recorder: Recorder
) -> None:
    class PerTeam(NoSecrets):
        def pick(self, deployment: Deployment, caller: Caller) -> str:
            return f"team {caller.team_id}"

    engine = an_engine(script, ledger, recorder, secrets=PerTeam())
    script.plays_for(FIRST, *[[DOWN]] * 5, an_answer())
    await fail(engine, 5)
    other = replace(CALLER, team_id=2)
    async with engine.open(a_request(), other, a_route(FIRST)) as answer:
        async for _ in answer.events:
            pass
    assert [(state.credential, state.word) for state in engine.breakers.snapshot()] == [
        ("team 1", BreakerWord.OPEN),
        ("team 2", BreakerWord.CLOSED),
    ]


async def test_an_operator_forces_it_open_until_a_moment(engine: Engine, script: Script) -> None:
    script.plays_for(FIRST, an_answer())
    until = utcnow() + timedelta(seconds=90)
    engine.breakers.force({FIRST.id: Forced(BreakerWord.OPEN, "maintenance", until)})
    (state,) = engine.breakers.snapshot()
    assert (state.word, state.retry_in_s) == (BreakerWord.OPEN, 90)
    assert state.forced is not None
    assert state.forced.reason == "maintenance"
    with pytest.raises(CircuitOpen) as caught:
        await ask(engine)
    assert caught.value.retry_after_s == 90
    assert "maintenance" not in caught.value.message
    await asyncio.sleep(90)
    await ask(engine)
    assert engine.breakers.snapshot()[0].forced is None


async def test_an_operator_forces_it_closed_and_it_counts_on_underneath(
    engine: Engine, script: Script
) -> None:
    script.plays_for(FIRST, [DOWN])
    engine.breakers.force({FIRST.id: Forced(BreakerWord.CLOSED, "it is fine")})
    await fail(engine, 9)
    assert len(script.opened) == 9
    (state,) = engine.breakers.snapshot()
    assert (state.word, state.counted_word) == (BreakerWord.CLOSED, BreakerWord.OPEN)
    engine.breakers.force({})
    with pytest.raises(CircuitOpen):
        await ask(engine)


async def test_an_operator_resets_it(engine: Engine, script: Script, recorder: Recorder) -> None:
    script.plays_for(FIRST, *[[DOWN]] * 5, an_answer())
    await fail(engine, 5)
    engine.breakers.reset(FIRST.id)
    assert recorder.changes[-1].reason == "reset by an operator"
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


@pytest.mark.parametrize(
    "error",
    [
        UpstreamRejected("no.", status=400),
        CredentialRejected("no.", status=401),
        QuotaExhausted("empty.", status=429),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_an_error_of_the_4xx_family_does_not_trip_it(
    engine: Engine, script: Script, error: UpstreamError
) -> None:
    script.plays_for(FIRST, [error])
    for _ in range(20):
        with pytest.raises(type(error)):
            await ask(engine)
    assert word(engine) is BreakerWord.CLOSED


async def test_a_cancellation_does_not_trip_it(engine: Engine, script: Script) -> None:
    script.plays_for(FIRST, [3600.0])
    for _ in range(20):
        asking = asyncio.create_task(ask(engine))
        await asyncio.sleep(1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    assert word(engine) is BreakerWord.CLOSED


async def test_it_half_opens_by_the_clock_and_needs_no_request(
    engine: Engine, script: Script
) -> None:
    script.plays_for(FIRST, [DOWN])
    await fail(engine, 5)
    await asyncio.sleep(29)
    assert word(engine) is BreakerWord.OPEN
    await asyncio.sleep(1)
    assert word(engine) is BreakerWord.HALF_OPEN
    assert len(script.opened) == 5
