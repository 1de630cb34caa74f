"""What a Chat Completions server says of a failure: by code, then type, then status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import orjson

from providers.engine.errors import (
    ContentBlocked,
    ContextTooLong,
    CredentialRejected,
    EngineError,
    QuotaExhausted,
    UpstreamMisconfigured,
    UpstreamOverloaded,
    UpstreamThrottled,
    UpstreamUnavailable,
)
from providers.engine.failures import Complaint, by_status
from providers.engine.routes import Deployment
from providers.engine.upstream import Incoming

_BY_CODE: Mapping[str, type[EngineError]] = {
    "insufficient_quota": QuotaExhausted,
    "billing_hard_limit_reached": QuotaExhausted,
    "billing_not_active": QuotaExhausted,
    "context_length_exceeded": ContextTooLong,
    "string_above_max_length": ContextTooLong,
    "invalid_api_key": CredentialRejected,
    "account_deactivated": CredentialRejected,
    "model_not_found": UpstreamMisconfigured,
    "rate_limit_exceeded": UpstreamThrottled,
    "content_filter": ContentBlocked,
    "content_policy_violation": ContentBlocked,
    "server_error": UpstreamUnavailable,
    "internal_error": UpstreamUnavailable,
}
_BY_TYPE: Mapping[str, type[EngineError]] = {
    "insufficient_quota": QuotaExhausted,
    "exceed_context_size_error": ContextTooLong,
    "authentication_error": CredentialRejected,
    "permission_error": CredentialRejected,
    "rate_limit_error": UpstreamThrottled,
    "rate_limit_exceeded": UpstreamThrottled,
    "overloaded_error": UpstreamOverloaded,
    "server_error": UpstreamUnavailable,
    "internal_server_error": UpstreamUnavailable,
    "api_error": UpstreamUnavailable,
}
# Servers without a code of their own say it in words only.
_CONTEXT_WORDS = ("maximum context length", "context length exceeded", "context window")


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
    error = _error_object(said)
    status = _status(error, incoming.status)
    words = error.get("message")
    complaint = Complaint(
        deployment=deployment.name,
        status=status,
        words=words if isinstance(words, str) else "",
        headers=incoming.headers,
        secret=secret,
    )
    return complaint.become(_kind(error, status, complaint.words))


def _kind(error: Mapping[str, Any], status: int, words: str) -> type[EngineError]:
    by_code = _BY_CODE.get(str(error.get("code")))
    if by_code is not None:
        return by_code
    by_type = _BY_TYPE.get(str(error.get("type")))
    if by_type is not None:
        return by_type
    if status in {400, 413, 422} and any(hint in words.lower() for hint in _CONTEXT_WORDS):
        return ContextTooLong
    return by_status(status)


def _status(error: Mapping[str, Any], http_status: int) -> int:
    """Find the status; within a 200 the error names its own, or is the server's fault."""
    if http_status >= 400:
        return http_status
    for field in ("status_code", "code", "status"):
        value = error.get(field)
        if isinstance(value, int) and 400 <= value < 600:
            return value
    return 400 if error.get("type") == "invalid_request_error" else 500


def _error_object(said: object) -> Mapping[str, Any]:
    # Gemini's compatible endpoint wraps its error into a list.
    if isinstance(said, list) and said:
        said = cast("list[object]", said)[0]
    if not isinstance(said, dict):
        return {}
    fields = cast("dict[str, Any]", said)
    error = fields.get("error", fields)
    if isinstance(error, str):
        return {"message": error}
    return cast("dict[str, Any]", error) if isinstance(error, dict) else {}
