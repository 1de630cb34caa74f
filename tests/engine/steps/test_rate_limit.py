from __future__ import annotations

import asyncio
from typing import Any

import pytest

from providers.engine.errors import UpstreamThrottled
from providers.engine.pipeline import Engine
from providers.engine.usage import Usage
from tests.fakes import CALLER, Script, a_deployment, a_request, a_route, an_answer


async def ask(engine: Engine, **fields: Any) -> None:
    route = a_route(a_deployment(**{"requests_per_second": 2.0, "burst": 3, **fields}))
    async with engine.open(a_request(), CALLER, route) as answer:
        async for _ in answer.events:
            pass


async def test_a_burst_passes_at_once_and_the_rest_at_the_rate(engine: Engine) -> None:
    began = asyncio.get_running_loop().time()
    await asyncio.gather(*(ask(engine) for _ in range(7)))
    assert asyncio.get_running_loop().time() - began == pytest.approx(4 / 2)


async def test_a_wait_that_is_too_long_is_refused_with_its_length(
    engine: Engine, script: Script
) -> None:
    results = await asyncio.gather(*(ask(engine) for _ in range(20)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, UpstreamThrottled)]
    assert len(refused) == 20 - 3 - 10
    assert refused[0].retry_after_s == pytest.approx(5.5)
    assert len(script.opened) == 13


async def test_a_caller_who_leaves_the_queue_gives_his_place_back(engine: Engine) -> None:
    for _ in range(3):
        await ask(engine)
    waiting = [asyncio.create_task(ask(engine)) for _ in range(4)]
    await asyncio.sleep(0.1)
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    began = asyncio.get_running_loop().time()
    await ask(engine)
    assert asyncio.get_running_loop().time() - began <= 0.5


async def test_no_rate_means_no_limit(engine: Engine) -> None:
    began = asyncio.get_running_loop().time()
    await asyncio.gather(*(ask(engine, requests_per_second=None) for _ in range(60)))
    assert asyncio.get_running_loop().time() == began


async def test_a_new_rate_holds_from_the_next_request(engine: Engine) -> None:
    for _ in range(3):
        await ask(engine)
    began = asyncio.get_running_loop().time()
    await ask(engine, requests_per_second=100.0)
    assert asyncio.get_running_loop().time() - began == pytest.approx(0.01)


async def test_tokens_a_minute_are_drawn_as_expected_and_corrected(
    engine: Engine, script: Script
) -> None:
    script.plays_for(a_deployment(), an_answer(usage=Usage(100, 900)))
    limits: dict[str, Any] = {"requests_per_second": None, "tokens_per_minute": 6000}
    began = asyncio.get_running_loop().time()
    for _ in range(5):
        await ask(engine, **limits)
    # 5000 are used; the next expects 1024 and the prompt, and finds 1000.
    assert asyncio.get_running_loop().time() == began
    await ask(engine, **limits)
    assert asyncio.get_running_loop().time() - began == pytest.approx(0.26, abs=0.1)


async def test_a_throttled_deployment_says_which_limit_it_is(engine: Engine) -> None:
    limits: dict[str, Any] = {"requests_per_second": None, "tokens_per_minute": 20}
    await ask(engine, **limits)
    with pytest.raises(UpstreamThrottled, match="20 tokens a minute"):
        await ask(engine, **limits)
