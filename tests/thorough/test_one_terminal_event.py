"""Whatever a provider plays, whoever reads gets exactly one end, and the upstream is closed."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from providers.engine.errors import (
    CredentialRejected,
    EngineError,
    StreamCut,
    UpstreamGarbled,
    UpstreamRejected,
    UpstreamThrottled,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from providers.engine.events import Event, Finish, FinishReason, TextDelta, UsageReported
from providers.engine.usage import Usage
from tests.engine.conftest import ClockLoop, an_engine
from tests.fakes import (
    CALLER,
    MemoryLedger,
    Recorder,
    Script,
    Step,
    a_deployment,
    a_request,
    a_route,
)

FAULTS = (
    UpstreamTimeout("t."),
    UpstreamUnavailable("u."),
    UpstreamThrottled("r.", retry_after_s=1),
    UpstreamThrottled("r.", retry_after_s=9999),
    UpstreamRejected("no."),
    UpstreamGarbled("g."),
    CredentialRejected("k."),
    StreamCut("c."),
)
STEPS: st.SearchStrategy[Step] = st.one_of(
    st.sampled_from(FAULTS),
    st.just(TextDelta("word ")),
    st.just(UsageReported(Usage(3, 1))),
    st.just(Finish(FinishReason.STOP)),
    st.sampled_from([0.5, 29.0, 200.0]),
)
PLAYS = st.lists(st.lists(STEPS, max_size=6), min_size=1, max_size=4)


@settings(max_examples=120, deadline=None)
@given(st.lists(PLAYS, min_size=1, max_size=3), st.floats(0, 0.99))
def test_exactly_one_terminal_event_for_any_fault_script(
    scripts: list[list[list[Step]]], luck: float
) -> None:
    loop = ClockLoop()
    try:
        loop.run_until_complete(_played(scripts, luck))
    finally:
        loop.close()


async def _played(scripts: list[list[list[Step]]], luck: float) -> None:
    ledger, script, recorder = MemoryLedger(), Script(), Recorder()
    engine = an_engine(script, ledger, recorder, random=lambda: luck)
    deployments = [a_deployment(n + 1, max_attempts=2) for n in range(len(scripts))]
    for deployment, plays in zip(deployments, scripts, strict=True):
        script.plays_for(deployment, *plays)
    ends: list[str] = []
    events: list[Event] = []
    try:
        async with engine.open(a_request(), CALLER, a_route(*deployments)) as answer:
            async for event in answer.events:
                assert not ends, "something came after the end"
                events.append(event)
                if isinstance(event, Finish):
                    ends.append("finish")
    except EngineError as error:
        ends.append(error.code)
    await engine.drain()
    assert len(ends) == 1
    assert recorder.calls == [None if ends == ["finish"] else ends[0]]
    assert sum(isinstance(event, UsageReported) for event in events) <= 1
    assert sorted(script.opened) == sorted(script.closed)
    assert ledger.held == {}
    assert len(ledger.settled) == 1
    await asyncio.sleep(0)
