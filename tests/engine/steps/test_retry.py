from __future__ import annotations

import asyncio

import pytest

from providers.engine.call import AttemptStatus
from providers.engine.errors import (
    CredentialRejected,
    UpstreamGarbled,
    UpstreamThrottled,
    UpstreamUnavailable,
)
from providers.engine.events import Notice, NoticeKind
from providers.engine.pipeline import Engine
from providers.engine.ports import BreakerLimits
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

DOWN = UpstreamUnavailable("down.")


async def seconds_until_answered(engine: Engine, **deployment: object) -> float:
    loop = asyncio.get_running_loop()
    began = loop.time()
    route = a_route(a_deployment(**deployment))
    async with engine.open(a_request(), CALLER, route) as answer:
        opened_after = loop.time() - began
        events = [event async for event in answer.events]
    notices = [event for event in events if isinstance(event, Notice)]
    assert [notice.kind for notice in notices] == [NoticeKind.RETRY] * len(notices)
    assert len(answer.call.attempts) == len(notices) + 1
    assert answer.call.attempts[-1].status is AttemptStatus.OK
    return opened_after


async def test_waits_double_and_end_at_thirty_seconds(
    script: Script, ledger: MemoryLedger, recorder: Recorder
) -> None:
    engine = an_engine(script, ledger, recorder, breaker_limits=BreakerLimits(threshold=100))
    script.plays_for(a_deployment(), *[[DOWN]] * 7, an_answer())
    waited = await seconds_until_answered(engine, max_attempts=8)
    assert waited == pytest.approx(1 + 2 + 4 + 8 + 16 + 30 + 30)


async def test_jitter_is_full(script: Script, ledger: MemoryLedger, recorder: Recorder) -> None:
    engine = an_engine(script, ledger, recorder, random=lambda: 0.25)
    script.plays_for(a_deployment(), [DOWN], [DOWN], an_answer())
    assert await seconds_until_answered(engine, max_attempts=3) == pytest.approx(0.25 + 0.5)


async def test_the_servers_own_wait_wins(engine: Engine, script: Script) -> None:
    throttled = UpstreamThrottled("slow down.", retry_after_s=12.5)
    script.plays_for(a_deployment(), [throttled], an_answer())
    assert await seconds_until_answered(engine, max_attempts=2) == pytest.approx(12.5)


async def test_a_wait_beyond_the_deadline_is_not_begun(engine: Engine, script: Script) -> None:
    throttled = UpstreamThrottled("slow down.", retry_after_s=3600)
    script.plays_for(a_deployment(), [throttled], an_answer())
    with pytest.raises(UpstreamThrottled):
        await seconds_until_answered(engine, max_attempts=2)
    assert len(script.opened) == 1


@pytest.mark.parametrize("error", [CredentialRejected("no."), UpstreamGarbled("what?")])
async def test_only_an_error_that_says_so_is_tried_again(
    engine: Engine, script: Script, error: Exception
) -> None:
    script.plays_for(a_deployment(), [error], an_answer())
    with pytest.raises(type(error)):
        await seconds_until_answered(engine, max_attempts=5)
    assert len(script.opened) == 1


async def test_attempts_are_counted_as_attempts(engine: Engine, script: Script) -> None:
    script.plays_for(a_deployment(), [DOWN])
    with pytest.raises(UpstreamUnavailable):
        await seconds_until_answered(engine, max_attempts=3)
    assert len(script.opened) == 3
