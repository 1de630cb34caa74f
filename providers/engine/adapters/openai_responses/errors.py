"""What a Responses server says of a failure: by code, then type, then status."""

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
    UpstreamRejected,
    UpstreamThrottled,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from providers.engine.failures import Complaint, by_status
from providers.engine.json_fields import Fields, inner, text
from providers.engine.routes import Deployment
from providers.engine.upstream import Incoming

# Source: openai-python, `ResponseError.code`, and OpenAI, "Error codes".
_BY_CODE: Mapping[str, type[EngineError]] = {
    "insufficient_quota": QuotaExhausted,
    "billing_hard_limit_reached": QuotaExhausted,
    "billing_not_active": QuotaExhausted,
    "context_length_exceeded": ContextTooLong,
    "string_above_max_length": ContextTooLong,
    "invalid_api_key": CredentialRejected,
    "account_deactivated": CredentialRejected,
    "model_not_found": UpstreamMisconfigured,
    "data_residency_mismatch": UpstreamMisconfigured,
    "rate_limit_exceeded": UpstreamThrottled,
    "invalid_prompt": ContentBlocked,
    "bio_policy": ContentBlocked,
    "cyber_policy": ContentBlocked,
    "content_filter": ContentBlocked,
    "content_policy_violation": ContentBlocked,
    "image_content_policy_violation": ContentBlocked,
    "misalignment_policy_violation": ContentBlocked,
    "server_error": UpstreamUnavailable,
    "server_is_overloaded": UpstreamOverloaded,
    "slow_down": UpstreamOverloaded,
    "vector_store_timeout": UpstreamTimeout,
}
_BY_TYPE: Mapping[str, type[EngineError]] = {
    "insufficient_quota": QuotaExhausted,
    "authentication_error": CredentialRejected,
    "permission_error": CredentialRejected,
    "rate_limit_error": UpstreamThrottled,
    "too_many_requests": UpstreamThrottled,
    "overloaded_error": UpstreamOverloaded,
    "server_error": UpstreamUnavailable,
    "invalid_request_error": UpstreamRejected,
    "image_generation_user_error": UpstreamRejected,
}
# The ends of a picture's or file's codes: all are about what the caller sent.
_CALLERS = ("invalid_image", "invalid_base64", "image_", "unsupported_image", "empty_image")


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
    """Read an error of a failed request, an `error` event or a failed response.

    The event is flat in the documentation and nested in life; a failed response nests it too.
    """
    fields = cast("Fields", said) if isinstance(said, dict) else {}
    error = inner(inner(fields, "response"), "error") or inner(fields, "error") or fields
    status = _status(error, incoming.status)
    complaint = Complaint(
        deployment=deployment.name,
        status=status,
        words=text(error, "message"),
        headers=incoming.headers,
        secret=secret,
    )
    return complaint.become(_kind(error, status))


def _kind(error: Fields, status: int) -> type[EngineError]:
    code = text(error, "code")
    by_code = _BY_CODE.get(code)
    if by_code is not None:
        return by_code
    if code.startswith(_CALLERS):
        return UpstreamRejected
    # A refused key and an unknown model come as `invalid_request_error` too, with their status.
    by_type = _BY_TYPE.get(text(error, "type")) if status in {400, 422} or status >= 500 else None
    return by_type if by_type is not None and status != 529 else by_status(status)


def _status(error: Fields, http_status: int) -> int:
    """Find the status; within a 200 it is the caller's fault only where the type says so."""
    if http_status >= 400:
        return http_status
    return 400 if text(error, "type") == "invalid_request_error" else 500
