"""An error as a client of OpenAI's sees it."""

from __future__ import annotations

import pytest

from providers.engine import errors as engine
from providers.engine.codes import row_of
from providers.wire.errors import duration, openai_body, retry_headers


def test_a_spent_budget_is_never_retried_by_clients() -> None:
    error = engine.BudgetExceeded("Spent.", budget="team")
    assert row_of(error).status == 429
    assert openai_body(error)["error"]["code"] == "insufficient_quota"  # type: ignore[index]
    assert (b"x-should-retry", b"false") in retry_headers(error)


def test_an_unknown_kind_of_error_shows_nothing_and_is_not_retried() -> None:
    class New(engine.EngineError):
        pass

    assert row_of(New("x")).status == 500
    assert retry_headers(New("x")) == [(b"x-should-retry", b"false")]


@pytest.mark.parametrize(
    ("wait", "shown", "retry"),
    [(0.0, b"1", b"true"), (1.2, b"2", b"true"), (60.0, b"60", b"true"), (61.0, b"61", b"false")],
)
def test_waits_are_whole_seconds_and_long_ones_stop_retries(
    wait: float, shown: bytes, retry: bytes
) -> None:
    error = engine.UpstreamThrottled("Slow down.", retry_after_s=wait)
    assert retry_headers(error) == [(b"retry-after", shown), (b"x-should-retry", retry)]


def test_where_all_deployments_failed_alike_that_failure_speaks() -> None:
    throttled = engine.UpstreamThrottled("Slow down.")
    alike = engine.NoDeploymentAvailable("None.", failures=[("a", throttled), ("b", throttled)])
    assert row_of(alike).status == 429
    mixed = engine.NoDeploymentAvailable(
        "None.", failures=[("a", throttled), ("b", engine.UpstreamTimeout("Late."))]
    )
    assert row_of(mixed).status == 503


def test_a_refused_provider_key_does_not_look_like_the_callers() -> None:
    assert row_of(engine.CredentialRejected("No.")).status == 502


def test_a_callers_limit_is_told_as_openai_tells_it() -> None:
    left = (engine.Remaining("requests", 60, 0, 59.2), engine.Remaining("tokens", 9000, 12, 361.0))
    error = engine.RateLimited("This key is at its limit.", retry_after_s=0.4, remaining=left)
    assert dict(retry_headers(error)) == {
        b"retry-after": b"1",
        b"x-should-retry": b"true",
        b"x-ratelimit-limit-requests": b"60",
        b"x-ratelimit-remaining-requests": b"0",
        b"x-ratelimit-reset-requests": b"59.2s",
        b"x-ratelimit-limit-tokens": b"9000",
        b"x-ratelimit-remaining-tokens": b"12",
        b"x-ratelimit-reset-tokens": b"6m1s",
    }


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0ms"),
        (0.0121, "13ms"),
        (1, "1s"),
        (1.5, "1.5s"),
        (59.9996, "1m0s"),
        (360, "6m0s"),
        (7384, "2h3m4s"),
    ],
)
def test_a_reset_is_a_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words
