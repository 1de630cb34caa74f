"""What Google says of a failure: by reason, then status word, then HTTP status."""

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
from providers.engine.json_fields import Fields, inner, objects, text
from providers.engine.routes import Deployment
from providers.engine.upstream import Incoming

# Source: googleapis, google/api/error_reason.proto.
_BY_REASON: Mapping[str, type[EngineError]] = {
    "API_KEY_INVALID": CredentialRejected,
    "API_KEY_SERVICE_BLOCKED": CredentialRejected,
    "API_KEY_HTTP_REFERRER_BLOCKED": CredentialRejected,
    "API_KEY_IP_ADDRESS_BLOCKED": CredentialRejected,
    "CREDENTIALS_MISSING": CredentialRejected,
    "CONSUMER_SUSPENDED": CredentialRejected,
    "SERVICE_DISABLED": UpstreamMisconfigured,
    "BILLING_DISABLED": QuotaExhausted,
    "RATE_LIMIT_EXCEEDED": UpstreamThrottled,
}
# Source: googleapis, google/rpc/code.proto, and Google, "Troubleshooting guide".
_BY_STATUS_WORD: Mapping[str, type[EngineError]] = {
    "INVALID_ARGUMENT": UpstreamRejected,
    "OUT_OF_RANGE": UpstreamRejected,
    "FAILED_PRECONDITION": UpstreamMisconfigured,
    "UNAUTHENTICATED": CredentialRejected,
    "PERMISSION_DENIED": CredentialRejected,
    "NOT_FOUND": UpstreamMisconfigured,
    "UNIMPLEMENTED": UpstreamMisconfigured,
    "RESOURCE_EXHAUSTED": UpstreamThrottled,
    "DEADLINE_EXCEEDED": UpstreamTimeout,
    "UNAVAILABLE": UpstreamUnavailable,
    "ABORTED": UpstreamUnavailable,
    "CANCELLED": UpstreamUnavailable,
    "INTERNAL": UpstreamUnavailable,
    "UNKNOWN": UpstreamUnavailable,
}
# These share a status word with others and can be told by their words only.
_BY_WORDS: tuple[tuple[str, type[EngineError]], ...] = (
    ("api key not valid", CredentialRejected),
    ("api key expired", CredentialRejected),
    ("exceeds the maximum number of tokens", ContextTooLong),
    ("location is not supported", UpstreamMisconfigured),
    ("credits are depleted", QuotaExhausted),
    ("model is overloaded", UpstreamOverloaded),
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
    if isinstance(said, list) and said:
        # Without `alt=sse` a stream is a list, and so is its error.
        said = cast("list[object]", said)[0]
    error = inner(cast("Fields", said), "error") if isinstance(said, dict) else {}
    status = _status(error, incoming.status)
    complaint = Complaint(
        deployment=deployment.name,
        status=status,
        words=text(error, "message"),
        headers=_with_delay(incoming.headers, error),
        secret=secret,
    )
    return complaint.become(_kind(error, status, complaint.words.lower()))


def _kind(error: Fields, status: int, words: str) -> type[EngineError]:
    details = objects(error.get("details"))
    reasons = (_BY_REASON.get(text(detail, "reason")) for detail in details)
    by_reason = next((kind for kind in reasons if kind is not None), None)
    if by_reason is not None:
        return by_reason
    by_words = next((kind for hint, kind in _BY_WORDS if hint in words), None)
    if by_words is not None:
        return by_words
    if any("PerDay" in quota for quota in _quotas(details)):
        return QuotaExhausted
    by_word = _BY_STATUS_WORD.get(text(error, "status"))
    # A status of its own, such as a proxy's 529, says more than a word that does not go with it.
    return by_word if by_word is not None and status != 529 else by_status(status)


def _quotas(details: list[Fields]) -> list[str]:
    """Name the quotas that are used up: those of a day are no rate limit."""
    violations = [v for detail in details for v in objects(detail.get("violations"))]
    return [text(violation, "quotaId") for violation in violations]


def _status(error: Fields, http_status: int) -> int:
    """Find the status; within a 200 the error names its own, or is the server's fault."""
    if http_status >= 400:
        return http_status
    code = error.get("code")
    return code if isinstance(code, int) and 400 <= code < 600 else 500


def _with_delay(headers: Mapping[str, str], error: Fields) -> Mapping[str, str]:
    """Put the delay of a RetryInfo, such as `36s`, where others put it."""
    if "retry-after" in headers:
        return headers
    delays = [text(detail, "retryDelay") for detail in objects(error.get("details"))]
    delay = next((each for each in delays if each.endswith("s")), None)
    return headers if delay is None else {**headers, "retry-after": delay.removesuffix("s")}
