"""An error as a client of OpenAI's sees it."""

from __future__ import annotations

import pytest

from providers.engine import errors as engine
from providers.engine.codes import row_of
from providers.wire.errors import openai_body, retry_headers


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
