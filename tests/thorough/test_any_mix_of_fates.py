"""However callers and providers behave together, the ledger ends empty-handed and not overspent."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from providers.engine.errors import EngineError
from providers.engine.events import Finish, FinishReason, TextDelta, UsageReported
from providers.engine.usage import Usage
from tests.engine.conftest import ClockLoop, an_engine
from tests.engine.steps.test_budget import SLOW, WORST, answered
from tests.fakes import MemoryLedger, Recorder, Script, Step, a_deployment

PLAYS = st.sampled_from(["good", "timeout", "cut", "slow", "leave"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(PLAYS, PLAYS, st.integers(0, 3)), min_size=1, max_size=12))
def test_any_mix_of_fates_settles_once_and_never_overspends(
    fates: list[tuple[str, str, int]],
) -> None:
    loop = ClockLoop()
    try:
        ledger = loop.run_until_complete(_live_through(fates))
    finally:
        loop.close()
    assert ledger.held == {}
    assert ledger.spent_nano <= 5 * WORST


async def _live_through(fates: list[tuple[str, str, int]]) -> MemoryLedger:
    ledger, script = MemoryLedger(limit_nano=5 * WORST), Script()
    engine = an_engine(script, ledger, Recorder())

    async def live(number: int, first: str, second: str, patience: int) -> None:
        pair = [a_deployment(number * 2 + place, max_output_tokens=10) for place in range(2)]
        for deployment, word in zip(pair, (first, second), strict=True):
            script.plays_for(deployment, _play(word))
        asked = asyncio.create_task(answered(engine, *pair))
        if "leave" in {first, second}:
            await asyncio.sleep(patience)
            asked.cancel()
        await asyncio.wait([asked])
        assert asked.cancelled() or isinstance(asked.exception(), EngineError | None)

    await asyncio.gather(*(live(number, *fate) for number, fate in enumerate(fates)))
    await engine.drain()
    assert len(ledger.settled) <= len(fates)
    return ledger


def _play(word: str) -> list[Step]:
    match word:
        case "timeout":
            return [SLOW]
        case "cut":
            return [TextDelta("x" * 100)]
        case "slow":
            return [1.0, UsageReported(Usage(5, 1)), SLOW]
        case "leave":
            return [2.0, TextDelta("x" * 9), asyncio.Event()]
    return [TextDelta("Hi"), UsageReported(Usage(5, 10)), Finish(FinishReason.LENGTH)]
