"""The one table from our errors to the guide's codes, OpenAI's and Anthropic's."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from providers.engine import errors as engine


class KeyInvalid(engine.RequestRejected):
    code = "key_invalid"


class NoSuchPath(engine.RequestRejected):
    code = "no_such_path"


class MethodRefused(engine.RequestRejected):
    code = "method_refused"


class BodyTooLarge(engine.RequestRejected):
    code = "body_too_large"


class ServerStopping(engine.EngineError):
    """The server is told to end, and the time to drain is over."""

    code = "server_stopping"
    may_retry = True


STOPPING = ServerStopping("The server is being restarted. Ask again in a moment.", retry_after_s=2)


@dataclass(frozen=True, slots=True)
class Row:
    """How a class looks outside. `openai_code` None: clients read it as "no particular code"."""

    guide: str
    status: int
    openai_type: str
    openai_code: str | None
    anthropic_type: str


_INVALID = "invalid_request_error"
_LIMIT = "rate_limit_error"
_SERVER = "server_error"

INTERNAL = Row("INTERNAL_ERROR", 500, _SERVER, "internal_error", "api_error")

TABLE: dict[type[engine.EngineError], Row] = {
    KeyInvalid: Row("VALIDATION_ERROR", 401, _INVALID, "invalid_api_key", "authentication_error"),
    NoSuchPath: Row("VALIDATION_ERROR", 404, _INVALID, "unknown_url", "not_found_error"),
    MethodRefused: Row("VALIDATION_ERROR", 405, _INVALID, "method_not_allowed", _INVALID),
    BodyTooLarge: Row("TEXT_TOO_LONG", 413, _INVALID, "request_too_large", "request_too_large"),
    engine.InvalidRequest: Row("VALIDATION_ERROR", 400, _INVALID, None, _INVALID),
    engine.UnknownModel: Row(
        "VALIDATION_ERROR", 404, _INVALID, "model_not_found", "not_found_error"
    ),
    engine.ContextTooLong: Row("TEXT_TOO_LONG", 400, _INVALID, "context_length_exceeded", _INVALID),
    engine.ContentBlocked: Row(
        "CONTENT_POLICY_VIOLATION", 400, _INVALID, "content_filter", _INVALID
    ),
    engine.BudgetExceeded: Row(
        "QUOTA_EXCEEDED", 429, "insufficient_quota", "insufficient_quota", "billing_error"
    ),
    engine.RateLimited: Row("RATE_LIMIT_EXCEEDED", 429, _LIMIT, "rate_limit_exceeded", _LIMIT),
    engine.Unpriced: Row("VALIDATION_ERROR", 400, _INVALID, "unpriced", _INVALID),
    engine.UpstreamTimeout: Row("TIMEOUT", 504, _SERVER, "upstream_timeout", "timeout_error"),
    engine.UpstreamUnavailable: Row(
        "INTERNAL_ERROR", 502, _SERVER, "upstream_unavailable", "api_error"
    ),
    engine.UpstreamOverloaded: Row(
        "INTERNAL_ERROR", 503, _SERVER, "upstream_overloaded", "overloaded_error"
    ),
    engine.UpstreamThrottled: Row("RATE_LIMIT", 429, _LIMIT, "rate_limit_exceeded", _LIMIT),
    engine.QuotaExhausted: Row(
        "QUOTA_EXCEEDED", 503, _SERVER, "upstream_quota_exhausted", "api_error"
    ),
    engine.UpstreamRejected: Row("VALIDATION_ERROR", 400, _INVALID, "upstream_rejected", _INVALID),
    # Never 401: a client would blame its own key.
    engine.CredentialRejected: Row(
        "INTERNAL_ERROR", 502, _SERVER, "upstream_credential_rejected", "api_error"
    ),
    engine.UpstreamMisconfigured: Row(
        "INTERNAL_ERROR", 502, _SERVER, "upstream_misconfigured", "api_error"
    ),
    engine.UpstreamGarbled: Row("INTERNAL_ERROR", 502, _SERVER, "upstream_garbled", "api_error"),
    engine.StreamCut: Row("INTERNAL_ERROR", 502, _SERVER, "stream_cut", "api_error"),
    engine.CircuitOpen: Row("INTERNAL_ERROR", 503, _SERVER, "circuit_open", "overloaded_error"),
    engine.NoDeploymentAvailable: Row(
        "INTERNAL_ERROR", 503, _SERVER, "no_deployment_available", "overloaded_error"
    ),
    engine.LedgerUnavailable: Row(
        "INTERNAL_ERROR", 503, _SERVER, "ledger_unavailable", "api_error"
    ),
    ServerStopping: Row("INTERNAL_ERROR", 503, _SERVER, "server_stopping", "overloaded_error"),
    engine.Cancelled: Row("INTERNAL_ERROR", 499, _SERVER, "cancelled", "api_error"),
}

# Node's and Anthropic's SDKs ignore a longer wait and come back sooner instead.
_LONGEST_WAIT_OBEYED_S = 60


def row_of(error: engine.EngineError) -> Row:
    """Find the nearest class. Where a route failed with one class only, that one speaks."""
    if isinstance(error, engine.NoDeploymentAvailable):
        classes = {type(failure) for _, failure in error.failures}
        if len(classes) == 1:
            return _nearest(classes.pop())
    return _nearest(type(error))


def openai_body(error: engine.EngineError) -> dict[str, object]:
    row = row_of(error)
    param = error.param if isinstance(error, engine.InvalidRequest) else None
    return _body(error.message, row, param)


def internal_body(request_id: str) -> dict[str, object]:
    """Tell a caller of a bug, and nothing of its inside."""
    return _body(f"An error of ours, not of yours. Request {request_id} is in our log.", INTERNAL)


def retry_headers(error: engine.EngineError) -> list[tuple[bytes, bytes]]:
    """Say plainly whether to try again; whole seconds, rounded up, at least one."""
    may_retry = error.may_retry
    headers = []
    if error.retry_after_s is not None:
        wait = max(1, math.ceil(error.retry_after_s))
        may_retry = may_retry and wait <= _LONGEST_WAIT_OBEYED_S
        headers.append((b"retry-after", str(wait).encode()))
    headers.append((b"x-should-retry", b"true" if may_retry else b"false"))
    if isinstance(error, engine.RateLimited):
        headers += limit_headers(error.remaining)
    return headers


def limit_headers(remaining: Iterable[engine.Remaining]) -> list[tuple[bytes, bytes]]:
    """Write OpenAI's names; where several limits apply, of the tightest.

    Source: OpenAI, "Rate limits in headers". A reset is how long until nothing is used any more.
    """
    return [
        (f"x-ratelimit-{part}-{each.what}".encode(), value.encode())
        for each in remaining
        for part, value in (
            ("limit", str(each.limit)),
            ("remaining", str(each.left)),
            ("reset", duration(each.full_in_s)),
        )
    ]


def duration(seconds: float) -> str:
    """Write `12ms`, `1.5s`, `6m0s` or `1h0m0s`, as Go and so OpenAI do."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    minutes, rest = divmod(math.ceil(seconds * 1000) / 1000, 60)
    hours, minutes = divmod(int(minutes), 60)
    tail = f"{round(rest, 3):g}s"
    if hours:
        return f"{hours}h{minutes}m{tail}"
    return f"{minutes}m{tail}" if minutes else tail


def _nearest(fault: type[engine.EngineError]) -> Row:
    return next((TABLE[base] for base in fault.__mro__ if base in TABLE), INTERNAL)


def _body(message: str, row: Row, param: str | None = None) -> dict[str, object]:
    return {
        "error": {
            "message": message,
            "type": row.openai_type,
            "param": param,
            "code": row.openai_code,
        }
    }
