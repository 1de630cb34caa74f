"""An outage is not made worse by us: retries stay a share of the traffic."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.engine.errors import UpstreamUnavailable
from providers.engine.ports import BreakerLimits
from providers.engine.steps.retry import RetryBudget, RetryLimits
from tests.engine.conftest import an_engine
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


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.floats(0, 20)), max_size=120),
    st.floats(0, 1),
    st.integers(0, 5),
)
def test_retries_of_any_minute_are_at_most_their_share_and_the_least(
    steps: list[tuple[bool, float]], share: float, least: int
) -> None:
    limits = RetryLimits(share=share, least=least, window_s=60)
    budget, now = RetryBudget(), 0.0
    firsts: list[float] = []
    retries: list[float] = []
    for is_first, pause in steps:
        now += pause
        if is_first:
            firsts.append(now)
            budget.note_first(now, limits)
        elif budget.spend(now, limits):
            retries.append(now)
            # The window moves by a tenth: what counts is between 54 and 60 seconds old.
            lately = [at for at in retries if at > now - 54]
            assert len(lately) <= least + share * sum(at > now - 60 for at in firsts) + 1e-9


async def test_an_outage_is_not_amplified_by_retries(
    script: Script, ledger: MemoryLedger, recorder: Recorder
) -> None:
    deployment = a_deployment(max_attempts=3)
    engine = an_engine(
        script,
        ledger,
        recorder,
        breaker_limits=BreakerLimits(threshold=10_000, volume=10_000),
        retry_limits=RetryLimits(share=0.2, least=10),
    )
    script.plays_for(deployment, [UpstreamUnavailable("down.")])

    async def ask() -> None:
        with pytest.raises(UpstreamUnavailable):
            async with engine.open(a_request(), CALLER, a_route(deployment)):
                pass

    await asyncio.gather(*(ask() for _ in range(200)))
    assert 200 < len(script.opened) <= 200 + 10 + 40
    assert len(recorder.denied) > 0


async def test_a_few_failures_in_quiet_times_are_all_tried_again(
    script: Script, ledger: MemoryLedger, recorder: Recorder
) -> None:
    engine = an_engine(script, ledger, recorder)
    deployment = a_deployment(max_attempts=2)
    for _ in range(20):
        script.plays_for(deployment, [UpstreamUnavailable("down.")], an_answer())
        async with engine.open(a_request(), CALLER, a_route(deployment)) as answer:
            async for _ in answer.events:
                pass
        await asyncio.sleep(10)
    assert recorder.denied == []
