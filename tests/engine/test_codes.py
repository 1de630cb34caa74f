"""The one table that joins our errors to the codes of others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from providers.engine import errors
from providers.engine.codes import INTERNAL, TABLE, Fault, row_of, row_of_code, shown

GUIDE = {
    "TIMEOUT", "RATE_LIMIT", "QUOTA_EXCEEDED", "VALIDATION_ERROR", "INTERNAL_ERROR",
    "SERVICE_DEGRADED", "RATE_LIMIT_EXCEEDED", "TOO_MANY_MESSAGES", "INVALID_ROLE",
    "UNSUPPORTED_PART_TYPE", "TEXT_TOO_LONG", "CONTENT_POLICY_VIOLATION",
}  # fmt: skip
OURS = {"UNAUTHENTICATED", "PERMISSION_DENIED"}
# Source: anthropic-sdk-python, types/shared (error types).
ANTHROPIC = {
    "invalid_request_error", "authentication_error", "billing_error", "permission_error",
    "not_found_error", "request_too_large", "rate_limit_error", "api_error", "timeout_error",
    "overloaded_error",
}  # fmt: skip


def every(kind: type[errors.EngineError]) -> Iterator[type[errors.EngineError]]:
    yield kind
    for below in kind.__subclasses__():
        # A private kind of one module is shown as what it derives from.
        if below.__module__.startswith("providers.") and not below.__name__.startswith("_"):
            yield from every(below)


@pytest.mark.parametrize("kind", list(every(errors.EngineError)), ids=lambda kind: kind.__name__)
def test_every_error_has_a_row_of_its_own_with_codes_that_others_know(
    kind: type[errors.EngineError],
) -> None:
    row = TABLE[kind]
    assert row.guide in GUIDE | OURS
    assert row.anthropic_type in ANTHROPIC
    assert row.openai_type
    assert row.openai_code is None or row.openai_code
    assert row.title
    assert row_of_code(kind.code) is not None


def test_a_code_means_one_thing() -> None:
    codes = [kind.code for kind in TABLE if kind.code not in {"internal_error", "invalid_request"}]
    assert len(codes) == len(set(codes))


def test_the_guides_words_for_what_validation_refuses() -> None:
    wanted = {
        errors.TooManyMessages: "TOO_MANY_MESSAGES",
        errors.InvalidRole: "INVALID_ROLE",
        errors.UnsupportedPart: "UNSUPPORTED_PART_TYPE",
        errors.TextTooLong: "TEXT_TOO_LONG",
        errors.ContextTooLong: "TEXT_TOO_LONG",
        errors.ContentBlocked: "CONTENT_POLICY_VIOLATION",
        errors.RateLimited: "RATE_LIMIT_EXCEEDED",
        errors.UpstreamThrottled: "RATE_LIMIT",
        errors.UpstreamTimeout: "TIMEOUT",
    }
    assert {kind: TABLE[kind].guide for kind in wanted} == wanted


def test_an_exhausted_quota_is_not_a_rate_limit() -> None:
    empty = shown(errors.QuotaExhausted("Empty."))
    spent = shown(errors.BudgetExceeded("Spent.", budget="team"))
    assert empty.code == spent.code == "QUOTA_EXCEEDED"
    assert not empty.retryable
    assert not spent.retryable
    assert shown(errors.UpstreamThrottled("Slow.", retry_after_s=3)).retryable


def test_a_cancellation_is_nobodys_error_to_be_shown() -> None:
    assert not shown(errors.Cancelled("Gone.")).user_facing
    assert row_of(errors.Cancelled("Gone.")).fault is Fault.CALLER


def test_an_unknown_error_is_not_retryable_and_shows_nothing_of_its_inside() -> None:
    told = shown(RuntimeError("password=hunter2"))
    assert (told.code, told.retryable, told.retry_after) == ("INTERNAL_ERROR", False, None)
    assert "hunter2" not in repr(told)
    assert row_of(RuntimeError("x")) is INTERNAL


def test_the_message_carries_the_path() -> None:
    told = shown(errors.InvalidRole("Roles.", param="messages.2.role"))
    assert told.context == {"path": "messages.2.role"}


def test_violations_name_categories_and_places_and_never_the_text() -> None:
    blocked = errors.ContentBlocked("No.", violations=[errors.Violation("email", "messages.0")])
    assert shown(blocked).context == {"violations": [{"category": "email", "path": "messages.0"}]}


def test_every_cause_of_a_route_that_failed_is_told() -> None:
    late = errors.UpstreamTimeout("Late.")
    failed = errors.NoDeploymentAvailable("None.", failures=[("a/b", late)])
    assert shown(failed).context == {
        "attempts": [{"deployment": "a/b", "code": "upstream_timeout"}]
    }


def test_how_long_to_wait_is_told_in_seconds() -> None:
    assert shown(errors.RateLimited("Slow.", retry_after_s=1.5)).retry_after == 1.5
