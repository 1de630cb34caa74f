"""Quotas of one key, person or team over those of everybody, and limits a day."""

from __future__ import annotations

from datetime import timedelta

import pytest

from providers.engine.errors import RateLimited
from providers.engine.pipeline import Engine
from providers.engine.quotas import Own, Quota, Today
from tests.engine.steps.test_caller_limits import KEY, ask, limited


async def test_an_own_quota_stands_before_that_of_everybody(engine: Engine) -> None:
    limited(engine, key=Quota(requests=1, parallel=9))
    engine.caller_limits.own = {"key:5": Own(requests=2)}
    await ask(engine, KEY)
    await ask(engine, KEY)
    words = "This key is at the limit of 2 requests a minute. Ask again in 30 s. An owner can"
    with pytest.raises(RateLimited, match=words.replace(".", r"\.")):
        await ask(engine, KEY)


async def test_a_day_that_is_used_up_says_when_again_and_whom_to_ask(engine: Engine) -> None:
    limits = limited(engine).caller_limits
    limits.own = {"team:1": Own(daily_tokens=1000)}
    ends = limits.utcnow() + timedelta(hours=3)
    limits.today = Today({"team:1": 1000}, ends, "UTC")
    with pytest.raises(RateLimited) as refused:
        await ask(engine, KEY)
    assert refused.value.retry_after_s == pytest.approx(3 * 3600, abs=1)
    assert refused.value.message.startswith("This team has used its 1,000 tokens of today. It may")
    limits.today = Today({"team:1": 999}, ends, "UTC")
    await ask(engine, KEY)
    # What this process used since it was read counts at once.
    with pytest.raises(RateLimited, match="tokens of today"):
        await ask(engine, KEY)


async def test_a_day_that_is_over_binds_nobody_until_the_next_is_read(engine: Engine) -> None:
    limits = limited(engine).caller_limits
    limits.own = {"key:5": Own(daily_tokens=1)}
    limits.today = Today({"key:5": 9}, limits.utcnow() - timedelta(seconds=1), "UTC")
    await ask(engine, KEY)
