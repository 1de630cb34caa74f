from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from providers.engine.errors import BudgetExceeded, Unpriced, UpstreamTimeout
from providers.engine.events import TextDelta
from providers.engine.pipeline import Engine
from providers.engine.routes import Deployment
from tests.fakes import (
    CALLER,
    PRICE,
    MemoryLedger,
    Script,
    a_deployment,
    a_request,
    a_route,
    an_answer,
)

SLOW = UpstreamTimeout("slow.")
SMALL = a_deployment(max_output_tokens=10)
# "Hello" is five bytes.
WORST = PRICE.worst_case_nano(5, 10)


async def answered(engine: Engine, *deployments: Deployment, **request: Any) -> None:
    async with engine.open(a_request("Hello", **request), CALLER, a_route(*deployments)) as answer:
        async for _ in answer.events:
            pass


async def test_the_worst_case_is_bytes_in_and_all_that_may_come_out(
    engine: Engine, ledger: MemoryLedger, script: Script
) -> None:
    script.overhead = 7
    await answered(engine, SMALL)
    assert ledger.intents[0].worst_case_nano == PRICE.worst_case_nano(5 + 7, 10)


async def test_the_callers_own_smaller_limit_makes_the_hold_smaller(
    engine: Engine, ledger: MemoryLedger
) -> None:
    await answered(engine, SMALL, max_output_tokens=3)
    assert ledger.intents[0].worst_case_nano == PRICE.worst_case_nano(5, 3)


async def test_the_dearest_deployment_of_the_route_is_held(
    engine: Engine, ledger: MemoryLedger
) -> None:
    dear = a_deployment(2, max_output_tokens=10, price=replace(PRICE, output=PRICE.output * 10))
    await answered(engine, SMALL, dear)
    assert ledger.intents[0].worst_case_nano == PRICE.worst_case_nano(5, 100)


async def test_a_deployment_without_a_price_makes_the_worst_case_unknown(
    engine: Engine, ledger: MemoryLedger
) -> None:
    await answered(engine, SMALL, a_deployment(2, price=None))
    assert ledger.intents[0].worst_case_nano is None
    ledger.limit_nano = 10**12
    with pytest.raises(Unpriced):
        await answered(engine, SMALL, a_deployment(2, price=None))


async def test_the_cost_of_an_unpriced_answer_is_unknown_and_not_zero(engine: Engine) -> None:
    route = a_route(a_deployment(price=None))
    async with engine.open(a_request(), CALLER, route) as answer:
        async for _ in answer.events:
            pass
    assert answer.call.cost_nano is None


async def test_an_attempt_that_may_be_billed_is_held_for_before_the_next(
    engine: Engine, ledger: MemoryLedger, script: Script
) -> None:
    held: list[int] = []

    async def note() -> None:
        held.append(ledger.held_nano)

    ledger.before_answer = note
    script.plays_for(SMALL, [SLOW])
    await answered(engine, SMALL, a_deployment(2, max_output_tokens=10))
    assert held == [WORST, 2 * WORST]
    assert ledger.held == {}


async def test_no_further_attempt_is_made_when_it_does_not_fit(
    engine: Engine, ledger: MemoryLedger, script: Script
) -> None:
    ledger.limit_nano = 2 * WORST - 1
    script.plays_for(SMALL, [SLOW])
    with pytest.raises(BudgetExceeded):
        await answered(engine, SMALL, a_deployment(2, max_output_tokens=10))
    assert script.opened == [SMALL.name]
    assert ledger.held == {}
    assert 0 < ledger.spent_nano <= ledger.limit_nano


async def test_64_at_once_against_room_for_10_admits_exactly_10(
    engine: Engine, ledger: MemoryLedger, script: Script
) -> None:
    ledger.limit_nano = 10 * WORST
    decided = asyncio.Event()
    script.plays_for(SMALL, [TextDelta("Hi"), decided, *an_answer()])
    asked = [asyncio.create_task(answered(engine, SMALL)) for _ in range(64)]
    await asyncio.sleep(1)
    assert len(script.opened) == 10
    decided.set()
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(result, BudgetExceeded) for result in results) == 54
    assert ledger.held == {}


async def test_a_top_up_that_outlives_its_caller_is_waited_for_before_settling(
    engine: Engine, ledger: MemoryLedger, script: Script
) -> None:
    script.plays_for(SMALL, [1.0, SLOW])
    asked = asyncio.create_task(answered(engine, SMALL, a_deployment(2, max_output_tokens=10)))
    await asyncio.sleep(0.5)

    async def commits_slowly() -> None:
        await asyncio.sleep(5)

    ledger.before_answer = commits_slowly
    await asyncio.sleep(1)
    assert ledger.held_nano == 2 * WORST
    asked.cancel()
    await asyncio.wait([asked])
    await engine.drain()
    assert ledger.held == {}
    assert len(ledger.settled) == 1
