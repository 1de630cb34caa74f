"""Everything that can go wrong, each with its decision.

EngineError
├── RequestRejected             the caller can fix it
│   ├── InvalidRequest          and of it TooManyMessages  InvalidRole  UnsupportedPart  TextTooLong
│   ├── UnknownModel  ContextTooLong  ContentBlocked
│   ├── IdempotencyKeyReused  StillAnswering
│   ├── BudgetExceeded  RateLimited  Unpriced
│   ├── KeyInvalid  NotAllowed  NoSuchPath  MethodRefused  BodyTooLarge         at the door
├── UpstreamError               one deployment failed
│   ├── UpstreamTimeout  UpstreamUnavailable  UpstreamOverloaded  UpstreamThrottled  QuotaExhausted
│   ├── UpstreamRejected  CredentialRejected  UpstreamMisconfigured
│   ├── UpstreamGarbled  StreamCut  CircuitOpen
├── NoDeploymentAvailable       keeps every attempt's failure
├── AnswerInvalid               the model did not keep to the schema
├── NotCached                   nothing may go upstream, and no answer is kept
├── ServiceDegraded             emergency level, and no answer kept or predefined
├── LedgerUnavailable           no paid call without a durable hold
├── ServerStopping              told to end, and the time to drain is over
└── Cancelled                   the caller went away; nobody's failure

Steps read the three booleans of `UpstreamError`; status codes are known only where a wire is known.
How each looks outside is one table: codes.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


class EngineError(Exception):
    """`code` is stable; the message is safe to show: never a prompt, an answer or a secret.

    `retry_after_s` None means that waiting is not known to help. `may_retry` tells the caller's
    client whether the same request again can succeed.
    """

    code = "internal_error"
    may_retry = False

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_s = retry_after_s


class RequestRejected(EngineError):
    code = "invalid_request"


class InvalidRequest(RequestRejected):
    """`param` is the path of the faulty field such as `messages.2.content`; None: the whole."""

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class TooManyMessages(InvalidRequest):
    code = "too_many_messages"


class InvalidRole(InvalidRequest):
    code = "invalid_role"


class UnsupportedPart(InvalidRequest):
    code = "unsupported_part"


class TextTooLong(InvalidRequest):
    code = "text_too_long"


class IdempotencyKeyReused(InvalidRequest):
    """The same key of the same caller came with another request before."""

    code = "idempotency_key_reused"


class StillAnswering(RequestRejected):
    """The first request with this idempotency key is under way."""

    code = "still_answering"
    may_retry = True


class UnknownModel(RequestRejected):
    code = "model_not_found"


class ContextTooLong(RequestRejected):
    code = "context_length_exceeded"


@dataclass(frozen=True, slots=True)
class Violation:
    """What of a policy was violated and where; never the text. `path` empty: it is not known."""

    category: str
    path: str = ""


class ContentBlocked(RequestRejected):
    """A provider's filter, or a team's policy, which then names what it found."""

    code = "content_blocked"

    def __init__(self, message: str, *, violations: Sequence[Violation] = ()) -> None:
        super().__init__(message)
        self.violations = tuple(violations)


class BudgetExceeded(RequestRejected):
    """`budget` is its name in words; `resets_at` None: it never resets by itself."""

    code = "budget_exceeded"

    def __init__(self, message: str, *, budget: str, resets_at: datetime | None = None) -> None:
        super().__init__(message)
        self.budget = budget
        self.resets_at = resets_at


@dataclass(frozen=True, slots=True)
class Remaining:
    """What a caller's limit a minute leaves of `what`: `requests` or `tokens`."""

    what: str
    limit: int
    left: int
    full_in_s: float


class RateLimited(RequestRejected):
    """`remaining`: what each of the caller's limits leaves, the tightest of each sort."""

    code = "rate_limited"
    may_retry = True

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: float | None = None,
        remaining: Sequence[Remaining] = (),
    ) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.remaining = tuple(remaining)


class Unpriced(RequestRejected):
    code = "unpriced"


class KeyInvalid(RequestRejected):
    code = "key_invalid"


class NotAllowed(RequestRejected):
    """Known, but without the right; the message says which."""

    code = "not_allowed"


class NoSuchPath(RequestRejected):
    code = "no_such_path"


class MethodRefused(RequestRejected):
    code = "method_refused"


class BodyTooLarge(RequestRejected):
    code = "body_too_large"


class UpstreamError(EngineError):
    """One deployment failed; the message is a sentence that names it.

    `retry_here`: the same deployment may answer the same request.
    `try_next`: another deployment may.
    `trips_breaker`: it says something about the deployment's health.
    `may_be_billed`: the provider may charge for this attempt although it failed.
    """

    code = "upstream_error"
    retry_here = False
    try_next = True
    trips_breaker = True
    may_be_billed = False

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retry_after_s: float | None = None,
        upstream_request_id: str | None = None,
    ) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.status = status
        self.upstream_request_id = upstream_request_id


class UpstreamTimeout(UpstreamError):
    """Connected, then silence: it may have worked on the prompt all the same."""

    code = "upstream_timeout"
    retry_here = True
    may_be_billed = True
    may_retry = True


class UpstreamUnavailable(UpstreamError):
    """Not reached, or an answer of the 5xx family."""

    code = "upstream_unavailable"
    retry_here = True
    may_retry = True


class UpstreamOverloaded(UpstreamError):
    code = "upstream_overloaded"
    retry_here = True
    may_retry = True


class UpstreamThrottled(UpstreamError):
    """Its rate limit, or our own bucket in front of it."""

    code = "upstream_throttled"
    retry_here = True
    trips_breaker = False
    may_retry = True


class QuotaExhausted(UpstreamError):
    """Our account there is empty: not a rate limit, waiting does not help."""

    code = "upstream_quota_exhausted"
    trips_breaker = False


class UpstreamRejected(UpstreamError):
    """It refused this very request; the caller's to fix, the same elsewhere."""

    code = "upstream_rejected"
    try_next = False
    trips_breaker = False


class CredentialRejected(UpstreamError):
    code = "credential_rejected"
    trips_breaker = False


class UpstreamMisconfigured(UpstreamError):
    """It cannot work as it is set up: no such model there, a redirect, a refused address.

    The operator's to fix; another deployment of the route may answer all the same.
    """

    code = "upstream_misconfigured"
    trips_breaker = False


class UpstreamGarbled(UpstreamError):
    """It sent something that its wire format does not allow."""

    code = "upstream_garbled"
    may_be_billed = True


class StreamCut(UpstreamError):
    """It closed the stream without its terminal event."""

    code = "stream_cut"
    may_be_billed = True
    may_retry = True


class CircuitOpen(UpstreamError):
    """Our breaker lets the deployment rest."""

    code = "circuit_open"
    trips_breaker = False
    may_retry = True


class NoDeploymentAvailable(EngineError):
    """Every deployment of the route failed; `failures` in the order they were tried."""

    code = "no_deployment_available"
    may_retry = True

    def __init__(self, message: str, *, failures: Sequence[tuple[str, UpstreamError]]) -> None:
        waits = [error.retry_after_s for _, error in failures if error.retry_after_s is not None]
        super().__init__(message, retry_after_s=min(waits, default=None))
        self.failures = tuple(failures)


class AnswerInvalid(EngineError):
    """The model answered, and twice not in the form that was asked for; both were paid for.

    `faults` name paths of the schema and nothing of the answer. Another try may succeed.
    """

    code = "answer_invalid"
    may_retry = True

    def __init__(self, message: str, *, faults: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.faults = tuple(faults)


class NotCached(EngineError):
    """A call that may only be answered from the cache has no answer there."""

    code = "not_cached"
    may_retry = True


class ServiceDegraded(EngineError):
    """`health_score` 0..1; None: an operator has set the level before anything was judged."""

    code = "service_degraded"
    may_retry = True

    def __init__(
        self, message: str, *, retry_after_s: float | None = None, health_score: float | None = None
    ) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.health_score = health_score


class LedgerUnavailable(EngineError):
    """The database did not take the hold, so nothing was sent upstream."""

    code = "ledger_unavailable"
    may_retry = True


class ServerStopping(EngineError):
    code = "server_stopping"
    may_retry = True


class Cancelled(EngineError):
    code = "cancelled"
