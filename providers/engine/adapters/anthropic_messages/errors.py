"""What Anthropic says of a failure: by type, by words where it has no type, then by status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import orjson

from providers.engine.errors import (
    ContextTooLong,
    CredentialRejected,
    EngineError,
    QuotaExhausted,
    UpstreamMisconfigured,
    UpstreamOverloaded,
    UpstreamRejected,
    UpstreamThrottled,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from providers.engine.failures import Complaint, by_status
from providers.engine.routes import Deployment
from providers.engine.upstream import Incoming

# Source: Anthropic, "Errors".
_BY_TYPE: Mapping[str, type[EngineError]] = {
    "invalid_request_error": UpstreamRejected,
    "authentication_error": CredentialRejected,
    "billing_error": QuotaExhausted,
    "permission_error": CredentialRejected,
    "not_found_error": UpstreamMisconfigured,
    "request_too_large": UpstreamRejected,
    "rate_limit_error": UpstreamThrottled,
    "api_error": UpstreamUnavailable,
    "timeout_error": UpstreamTimeout,
    "overloaded_error": UpstreamOverloaded,
}
# These come as invalid_request_error and can be told by their words only.
_BY_WORDS: tuple[tuple[str, type[EngineError]], ...] = (
    ("prompt is too long", ContextTooLong),
    ("exceed context limit", ContextTooLong),
    ("credit balance is too low", QuotaExhausted),
    ("api usage limits", QuotaExhausted),
)


def error_from(
    deployment: Deployment, incoming: Incoming, body: bytes, secret: str | None
) -> EngineError:
    try:
        said: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        said = {}
    return error_in(deployment, said, incoming, secret)


def error_in(
    deployment: Deployment, said: object, incoming: Incoming, secret: str | None
) -> EngineError:
    """Read an error object, of a failed response or from the middle of a good one."""
    fields = cast("dict[str, Any]", said) if isinstance(said, dict) else {}
    inner = fields.get("error")
    error = cast("dict[str, Any]", inner) if isinstance(inner, dict) else {}
    words = error.get("message")
    complaint = Complaint(
        deployment=deployment.name,
        status=incoming.status,
        words=words if isinstance(words, str) else "",
        headers=incoming.headers,
        secret=secret,
    )
    return complaint.become(_kind(error, incoming.status, complaint.words))


def _kind(error: Mapping[str, Any], status: int, words: str) -> type[EngineError]:
    type_ = str(error.get("type"))
    if type_ == "invalid_request_error":
        low = words.lower()
        for hint, kind in _BY_WORDS:
            if hint in low:
                return kind
    by_type = _BY_TYPE.get(type_)
    if by_type is not None:
        return by_type
    # Inside a good stream an unknown error is the server's.
    return by_status(status) if status >= 400 else UpstreamUnavailable
