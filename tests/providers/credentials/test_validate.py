"""A live test's outcome in words."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import pytest

from providers import credentials
from providers.engine import errors as engine
from providers.engine.call import Attempt, Call, Reply
from providers.engine.routes import Deployment

DEPLOYMENT = Deployment(0, "openai", "openai_chat", "", "https://api.openai.com/v1")


class Answering:
    """An adapter that only checks."""

    kind = "openai_chat"

    def __init__(self, outcome: int | Exception) -> None:
        self.outcome = outcome

    def input_overhead(self, call: Call) -> int:
        raise NotImplementedError

    def open(self, attempt: Attempt, secret: str | None) -> AbstractAsyncContextManager[Reply]:
        raise NotImplementedError

    async def check(self, deployment: Deployment, secret: str | None) -> int:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


async def test_a_good_key_tells_its_models() -> None:
    checked = await credentials.validate(Answering(3), DEPLOYMENT, "sk", lambda: 0.0)
    assert checked.ok
    assert checked.models == 3
    assert "3 models" in checked.message


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (engine.CredentialRejected("x", status=401), "refused the key"),
        (engine.UpstreamThrottled("x", status=429), "rate"),
        (engine.QuotaExhausted("x", status=429), "no credit"),
        (engine.UpstreamTimeout("x"), "10 seconds"),
        (engine.UpstreamUnavailable("x", status=503), "status 503"),
        (engine.UpstreamUnavailable("openai was not reached."), "not reached"),
        (engine.UpstreamRejected("x", status=404), "base URL"),
        (TimeoutError(), "10 seconds"),
    ],
)
async def test_each_failure_has_words_of_its_own(fault: Exception, words: str) -> None:
    checked = await credentials.validate(Answering(fault), DEPLOYMENT, "sk", lambda: 0.0)
    assert not checked.ok
    assert checked.code
    assert words in checked.message
