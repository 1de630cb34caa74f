from __future__ import annotations

import asyncio

import pytest

from providers.engine.call import Caller, Source
from providers.engine.errors import RateLimited
from providers.engine.events import TextDelta
from providers.engine.pipeline import Engine
from tests.fakes import Script, a_deployment, a_request, a_route, an_answer

KEY = Caller(Source.GATEWAY, user_id=1, team_id=1, key_id=5)
PERSON = Caller(Source.PLAYGROUND, user_id=1, team_id=1)
PROBE = Caller(Source.PROBE)


async def ask(engine: Engine, caller: Caller) -> None:
    async with engine.open(a_request(), caller, a_route()) as answer:
        async for _ in answer.events:
            pass


async def test_a_key_and_its_person_are_counted_apart_and_a_probe_never(
    engine: Engine, script: Script
) -> None:
    engine.caller_limits.parallel_per_key = 2
    engine.caller_limits.parallel_per_user = 1
    done = asyncio.Event()
    script.plays_for(a_deployment(), [TextDelta("..."), done, *an_answer()])
    asked = [asyncio.create_task(ask(engine, who)) for who in (KEY, KEY, PERSON, PROBE, PROBE)]
    await asyncio.sleep(1)
    for who in (KEY, PERSON):
        with pytest.raises(RateLimited, match="open"):
            await ask(engine, who)
    done.set()
    await asyncio.gather(*asked)
    await ask(engine, KEY)
