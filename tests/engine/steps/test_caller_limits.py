from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from providers.engine.call import Answer, Caller, Source
from providers.engine.errors import BudgetExceeded, InvalidRequest, RateLimited
from providers.engine.events import TextDelta
from providers.engine.pipeline import Engine
from providers.engine.quotas import Quota, Quotas
from providers.engine.usage import Usage
from tests.fakes import MemoryLedger, Script, a_deployment, a_request, a_route, an_answer

KEY = Caller(Source.GATEWAY, user_id=1, team_id=1, key_id=5)
PERSON = Caller(Source.PLAYGROUND, user_id=1, team_id=1)
PROBE = Caller(Source.PROBE)
NONE = Quota()


async def ask(engine: Engine, caller: Caller, **fields: object) -> Answer:
    async with engine.open(a_request(**fields), caller, a_route()) as answer:
        async for _ in answer.events:
            pass
    return answer


def limited(engine: Engine, **quotas: Quota) -> Engine:
    every = {"key": NONE, "user": NONE, "team": NONE, "playground": NONE}
    engine.caller_limits.quotas = Quotas(**{**every, **quotas})
    return engine


async def test_a_key_and_its_person_are_counted_apart_and_a_probe_never(
    engine: Engine, script: Script
) -> None:
    limited(engine, key=Quota(parallel=2), playground=Quota(parallel=1))
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


async def test_a_place_of_one_who_never_left_is_free_in_time(
    engine: Engine, script: Script
) -> None:
    limited(engine, key=Quota(parallel=1))
    engine.caller_limits.lease_ttl_s = 60
    script.plays_for(a_deployment(), [TextDelta("..."), asyncio.Event()], an_answer())
    stuck = asyncio.create_task(ask(engine, KEY))
    await asyncio.sleep(59)
    with pytest.raises(RateLimited):
        await ask(engine, KEY)
    await asyncio.sleep(1)
    await ask(engine, KEY)
    stuck.cancel()
    await asyncio.wait([stuck])


async def test_requests_a_minute_and_a_retry_after_that_is_true(engine: Engine) -> None:
    limited(engine, key=Quota(requests=3))
    for _ in range(3):
        await ask(engine, KEY)
    with pytest.raises(RateLimited, match="This key is at the limit of 3 requests") as caught:
        await ask(engine, KEY)
    assert caught.value.retry_after_s == pytest.approx(20)
    await ask(engine, replace(KEY, key_id=6))
    await asyncio.sleep(19.9)
    with pytest.raises(RateLimited):
        await ask(engine, KEY)
    await asyncio.sleep(0.1)
    await ask(engine, KEY)


async def test_the_limits_of_key_person_and_team_hold_together(engine: Engine) -> None:
    limited(engine, key=Quota(requests=5), user=Quota(requests=4), team=Quota(requests=6))
    for _ in range(4):
        await ask(engine, KEY)
    with pytest.raises(RateLimited, match="user"):
        await ask(engine, replace(KEY, key_id=6))
    colleague = replace(KEY, user_id=2, key_id=7)
    for _ in range(2):
        await ask(engine, colleague)
    with pytest.raises(RateLimited, match="team"):
        await ask(engine, colleague)


async def test_a_refused_request_does_not_count(engine: Engine, ledger: MemoryLedger) -> None:
    limited(engine, key=Quota(requests=2), team=Quota(requests=1))
    for caller in (KEY, replace(KEY, team_id=2)):
        await ask(engine, caller)
    # Refused by the team's limit: the key's is not touched.
    fresh = replace(KEY, key_id=6)
    for _ in range(5):
        with pytest.raises(RateLimited, match="team"):
            await ask(engine, fresh)
    await ask(engine, replace(fresh, team_id=3))
    answer = await ask(engine, replace(fresh, team_id=4))
    assert answer.call.remaining[0].left == 0


async def test_a_request_that_a_later_step_refused_does_not_count(
    engine: Engine, ledger: MemoryLedger
) -> None:
    limited(engine, key=Quota(requests=1, tokens=5000))
    ledger.limit_nano = 0
    for _ in range(3):
        with pytest.raises(BudgetExceeded):
            await ask(engine, KEY)
    ledger.limit_nano = None
    answer = await ask(engine, KEY)
    requests, _ = answer.call.remaining
    assert (requests.what, requests.left) == ("requests", 0)


async def test_tokens_are_reserved_then_settled(engine: Engine, script: Script) -> None:
    limited(engine, key=Quota(tokens=1000))
    script.plays_for(a_deployment(), an_answer(usage=Usage(300, 400)))
    answer = await ask(engine, KEY, max_output_tokens=500)
    (left,) = answer.call.remaining
    assert (left.what, left.limit) == ("tokens", 1000)
    assert 490 <= left.left < 500
    # 700 were used in truth, so 300 are left: too few for 500 and the prompt.
    with pytest.raises(RateLimited, match="tokens a minute") as caught:
        await ask(engine, KEY, max_output_tokens=500)
    assert caught.value.retry_after_s == pytest.approx((502 - 300) / (1000 / 60), rel=0.05)
    await ask(engine, KEY, max_output_tokens=200)


async def test_a_prompt_larger_than_the_limit_passes_alone(engine: Engine) -> None:
    limited(engine, key=Quota(tokens=100))
    await ask(engine, KEY, max_output_tokens=4000)
    with pytest.raises(RateLimited):
        await ask(engine, KEY, max_output_tokens=4000)


async def test_new_numbers_hold_from_the_next_request(engine: Engine) -> None:
    limited(engine, key=Quota(requests=1))
    await ask(engine, KEY)
    limited(engine, key=Quota(requests=None))
    await ask(engine, KEY)


async def test_an_invalid_request_is_refused_before_it_counts(engine: Engine) -> None:
    limited(engine, key=Quota(requests=1))
    with pytest.raises(InvalidRequest):
        await ask(engine, KEY, temperature=99.0)
    await ask(engine, KEY)
