from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from providers.engine.call import AttemptRecord, AttemptStatus, Caller, Source
from providers.engine.errors import StreamCut
from providers.engine.events import Finish, FinishReason, TextDelta, UsageReported
from providers.engine.pipeline import Engine
from providers.engine.policy import AfterHangUp, Policy
from providers.engine.usage import Usage
from tests.engine.conftest import an_engine
from tests.fakes import (
    CALLER,
    PRICE,
    MemoryLedger,
    Recorder,
    Script,
    a_deployment,
    a_request,
    a_route,
    an_answer,
)

DRAIN = Policy(hang_up=AfterHangUp.DRAIN, drain_s=60, drain_usd=Decimal(1))
SPEAKER = a_deployment(max_output_tokens=1000)
REST = [TextDelta(" and more"), UsageReported(Usage(5, 40)), Finish(FinishReason.STOP)]


@pytest.fixture
def drains(script: Script, ledger: MemoryLedger, recorder: Recorder) -> Engine:
    return an_engine(script, ledger, recorder, policies=lambda _: DRAIN)


async def listened(engine: Engine, caller: Caller = CALLER) -> None:
    async with engine.open(a_request(), caller, a_route(SPEAKER)) as answer:
        async for _ in answer.events:
            pass


async def hang_up(engine: Engine, after_s: float, caller: Caller = CALLER) -> None:
    """Ask, listen for so long, and go; returns when the call has ended."""
    asking = asyncio.create_task(listened(engine, caller), name="caller")
    await asyncio.sleep(after_s)
    asking.cancel()
    await asyncio.wait([asking])
    assert asking.cancelled()


def only(ledger: MemoryLedger) -> AttemptRecord:
    """Give the one attempt of the one call that was settled."""
    assert ledger.held == {}
    ((record,),) = ledger.settled.values()
    return record


async def test_it_is_read_to_its_end_and_settled_at_what_the_provider_says(
    drains: Engine, script: Script, ledger: MemoryLedger
) -> None:
    script.plays_for(SPEAKER, [TextDelta("One"), 10.0, *REST])
    await hang_up(drains, after_s=5)
    record = only(ledger)
    assert (record.status, record.usage) == (AttemptStatus.DRAINED, Usage(5, 40))
    assert ledger.spent_nano == PRICE.cost_nano(Usage(5, 40))


async def test_before_the_first_word_it_is_waited_for_as_well(
    drains: Engine, script: Script, ledger: MemoryLedger
) -> None:
    script.plays_for(SPEAKER, [10.0, TextDelta("One"), *REST])
    await hang_up(drains, after_s=5)
    assert only(ledger).status is AttemptStatus.DRAINED


async def test_for_so_long_and_no_longer(
    drains: Engine, script: Script, ledger: MemoryLedger
) -> None:
    script.plays_for(SPEAKER, [TextDelta("One"), 66.0, *REST])
    began = asyncio.get_running_loop().time()
    await hang_up(drains, after_s=5)
    assert asyncio.get_running_loop().time() - began == pytest.approx(65)
    record = only(ledger)
    assert record.status is AttemptStatus.CANCELLED
    assert record.usage is not None
    assert record.usage.estimated


async def test_for_so_much_and_no_more(
    script: Script, ledger: MemoryLedger, recorder: Recorder
) -> None:
    # Ten tokens out, at two dollars a million.
    poor = replace(DRAIN, drain_usd=Decimal("0.00002"))
    engine = an_engine(script, ledger, recorder, policies=lambda _: poor)
    pieces = [TextDelta("x" * 20) for _ in range(10)]
    script.plays_for(SPEAKER, [TextDelta("One"), 10.0, *pieces, *REST])
    await hang_up(engine, after_s=5)
    record = only(ledger)
    assert record.status is AttemptStatus.CANCELLED
    assert record.usage is not None
    # Three bytes were heard, sixty came when forty were allowed.
    assert record.usage.output_tokens == 16


async def test_who_is_cancelled_twice_is_broken_off(
    drains: Engine, script: Script, ledger: MemoryLedger
) -> None:
    script.plays_for(SPEAKER, [TextDelta("One"), 30.0, *REST])
    asking = asyncio.create_task(hang_up(drains, after_s=5))
    await asyncio.sleep(6)
    (waiting,) = [task for task in asyncio.all_tasks() if task.get_name() == "caller"]
    waiting.cancel()
    await asking
    await asyncio.sleep(0)
    assert only(ledger).status is AttemptStatus.CANCELLED


async def test_a_server_that_stops_breaks_off_what_nobody_listens_to(
    drains: Engine, script: Script, ledger: MemoryLedger
) -> None:
    script.plays_for(SPEAKER, [TextDelta("One"), 30.0, *REST])
    asking = asyncio.create_task(hang_up(drains, after_s=5))
    await asyncio.sleep(6)
    drains.hang_up.stop()
    await asking
    assert only(ledger).status is AttemptStatus.CANCELLED
    script.plays_for(SPEAKER, [TextDelta("One"), 30.0, *REST])
    ledger.settled.clear()
    await hang_up(drains, after_s=5)
    assert only(ledger).status is AttemptStatus.CANCELLED


async def test_to_stop_an_answer_in_the_playground_breaks_it_off(
    drains: Engine, script: Script, ledger: MemoryLedger
) -> None:
    script.plays_for(SPEAKER, [TextDelta("One"), 10.0, *REST])
    await hang_up(drains, 5, replace(CALLER, source=Source.PLAYGROUND))
    assert only(ledger).status is AttemptStatus.CANCELLED


async def test_who_listens_to_the_end_gets_all_of_it_and_every_fault(
    drains: Engine, script: Script, ledger: MemoryLedger
) -> None:
    script.plays_for(SPEAKER, an_answer("One", " two"), [TextDelta("One")])
    async with drains.open(a_request(), CALLER, a_route(SPEAKER)) as answer:
        told = [event async for event in answer.events]
    assert [event.text for event in told if isinstance(event, TextDelta)] == ["One", " two"]
    assert only(ledger).status is AttemptStatus.OK
    ledger.settled.clear()
    with pytest.raises(StreamCut):
        await listened(drains)
    assert only(ledger).status is AttemptStatus.CUT


async def test_who_leaves_without_hanging_up_breaks_it_off(
    drains: Engine, script: Script, ledger: MemoryLedger
) -> None:
    script.plays_for(SPEAKER, [TextDelta("One"), 10.0, *REST])
    async with drains.open(a_request(), CALLER, a_route(SPEAKER)) as answer:
        async for event in answer.events:
            if isinstance(event, TextDelta):
                break
    assert only(ledger).status is AttemptStatus.CANCELLED
