"""A provider's status, code and words become an error that carries the decision."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from providers.engine.errors import (
    CredentialRejected,
    EngineError,
    QuotaExhausted,
    RequestRejected,
    UpstreamError,
    UpstreamMisconfigured,
    UpstreamOverloaded,
    UpstreamRejected,
    UpstreamThrottled,
    UpstreamTimeout,
    UpstreamUnavailable,
)

_MOST_WORDS = 400

_BY_STATUS: Mapping[int, type[UpstreamError]] = {
    401: CredentialRejected,
    402: QuotaExhausted,
    403: CredentialRejected,
    404: UpstreamMisconfigured,
    408: UpstreamTimeout,
    409: UpstreamUnavailable,
    425: UpstreamUnavailable,
    429: UpstreamThrottled,
    498: UpstreamOverloaded,
    529: UpstreamOverloaded,
}

_WORDS: Mapping[type[EngineError], str] = {
    CredentialRejected: "rejected the key that we hold for it.",
    QuotaExhausted: "says that our account there is out of credit.",
    UpstreamMisconfigured: "does not know this model or address.",
    UpstreamOverloaded: "is overloaded.",
    UpstreamThrottled: "is at its rate limit.",
    UpstreamTimeout: "gave up waiting.",
    UpstreamUnavailable: "is not available.",
}


@dataclass(frozen=True, slots=True)
class Complaint:
    """What a provider said of a failure. `status` None: it came inside a stream."""

    deployment: str
    status: int | None
    words: str
    headers: Mapping[str, str]
    secret: str | None

    def become(self, kind: type[EngineError]) -> EngineError:
        """Make the error of this kind.

        A provider's words reach the caller only where they tell what to change in the request;
        elsewhere they may tell of our account.
        """
        own = _WORDS.get(kind)
        message = f"{self.deployment} {own}" if own else self._quoted()
        if issubclass(kind, UpstreamError):
            return kind(
                message,
                status=self.status,
                retry_after_s=retry_after_s(self.headers),
                upstream_request_id=request_id(self.headers),
            )
        return kind(message)

    def _quoted(self) -> str:
        words = self.words
        if self.secret:
            words = words.replace(self.secret, "***")
        if len(words) > _MOST_WORDS:
            words = words[:_MOST_WORDS] + "..."
        return f"{self.deployment} refused the request: {words or 'it gave no reason.'}"


def by_status(status: int) -> type[UpstreamError]:
    kind = _BY_STATUS.get(status)
    if kind is not None:
        return kind
    if status >= 500:
        return UpstreamUnavailable
    return UpstreamMisconfigured if status < 400 else UpstreamRejected


def rejects_request(kind: type[EngineError]) -> bool:
    return issubclass(kind, RequestRejected)


def request_id(headers: Mapping[str, str]) -> str | None:
    return headers.get("x-request-id") or headers.get("request-id")


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds; a date is read against the response's own `date`, so that no clock is asked."""
    in_ms = _number(headers.get("retry-after-ms"))
    if in_ms is not None:
        return in_ms / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is not None or value is None:
        return seconds
    try:
        then = parsedate_to_datetime(value)
        sent = parsedate_to_datetime(headers.get("date", ""))
        return max((then - sent).total_seconds(), 0.0)
    except (TypeError, ValueError):
        return None


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
