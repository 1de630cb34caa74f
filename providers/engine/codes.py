"""How each error looks outside: the one table of codes, in the guide's words and two vendors'.

Source of the vendors' columns: openai-python `_client._make_status_error` and OpenAI's "Error
codes"; Anthropic's "Errors". The guide's codes are those of its `ServiceError` and
`ValidationError`; UNAUTHENTICATED and PERMISSION_DENIED are ours beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from providers.engine import errors as engine


class Fault(StrEnum):
    """Whose doing it is. Of these only the first three say something of a deployment's health."""

    PROVIDER = "provider"
    LIMIT = "limit"
    CONFIGURATION = "our configuration"
    CALLER = "caller"
    OWN_LIMIT = "a limit of ours"
    NOBODY_LEFT = "no provider left"
    GATEWAY = "gateway"


@dataclass(frozen=True, slots=True)
class Row:
    """`openai_code` None: clients read it as "no particular code". `title` is for pages.

    `is_user_facing`: its message is of use to who asked.
    """

    guide: str
    status: int
    openai_type: str
    openai_code: str | None
    anthropic_type: str
    fault: Fault
    title: str
    is_user_facing: bool = True


_INVALID, _LIMIT, _SERVER = "invalid_request_error", "rate_limit_error", "server_error"
_API, _OVER, _LOST = "api_error", "overloaded_error", "not_found_error"
_GUIDE_INVALID, _GUIDE_INTERNAL = "VALIDATION_ERROR", "INTERNAL_ERROR"
F = Fault


def _invalid(guide: str, title: str, code: str | None = None) -> Row:
    return Row(guide, 400, _INVALID, code, _INVALID, F.CALLER, title)


def _upstream(status: int, code: str, anthropic: str, fault: Fault, title: str) -> Row:
    return Row(_GUIDE_INTERNAL, status, _SERVER, code, anthropic, fault, title)


INTERNAL = Row(
    _GUIDE_INTERNAL, 500, _SERVER, "internal_error", _API, F.GATEWAY, "Something went wrong"
)

TABLE: Mapping[type[engine.EngineError], Row] = MappingProxyType({
    engine.EngineError: INTERNAL,
    # the door
    engine.KeyInvalid: Row(
        "UNAUTHENTICATED",
        401,
        _INVALID,
        "invalid_api_key",
        "authentication_error",
        F.CALLER,
        "The key is not valid",
    ),
    engine.NotAllowed: Row(
        "PERMISSION_DENIED",
        403,
        _INVALID,
        "permission_denied",
        "permission_error",
        F.CALLER,
        "A right is missing",
    ),
    engine.NoSuchPath: Row(
        _GUIDE_INVALID, 404, _INVALID, "unknown_url", _LOST, F.CALLER, "There is nothing here"
    ),
    engine.MethodRefused: Row(
        _GUIDE_INVALID,
        405,
        _INVALID,
        "method_not_allowed",
        _INVALID,
        F.CALLER,
        "The method is not known here",
    ),
    engine.BodyTooLarge: Row(
        "TEXT_TOO_LONG",
        413,
        _INVALID,
        "request_too_large",
        "request_too_large",
        F.CALLER,
        "The request is too large",
    ),
    # the request
    engine.RequestRejected: _invalid(_GUIDE_INVALID, "The request was not accepted"),
    engine.InvalidRequest: _invalid(_GUIDE_INVALID, "The request was not accepted"),
    engine.TooManyMessages: _invalid("TOO_MANY_MESSAGES", "The conversation has too many messages"),
    engine.InvalidRole: _invalid("INVALID_ROLE", "A message has a role that is not allowed"),
    engine.UnsupportedPart: _invalid(
        "UNSUPPORTED_PART_TYPE", "Something in the message cannot be sent to this model"
    ),
    engine.TextTooLong: _invalid(
        "TEXT_TOO_LONG", "The text is too long", "string_above_max_length"
    ),
    engine.IdempotencyKeyReused: Row(
        _GUIDE_INVALID,
        422,
        _INVALID,
        "idempotency_key_reused",
        _INVALID,
        F.CALLER,
        "The idempotency key belongs to another request",
    ),
    engine.StillAnswering: Row(
        _GUIDE_INVALID,
        409,
        _INVALID,
        "idempotency_key_in_use",
        _INVALID,
        F.CALLER,
        "The first request with this key is still being answered",
    ),
    engine.UnknownModel: Row(
        _GUIDE_INVALID,
        404,
        _INVALID,
        "model_not_found",
        _LOST,
        F.CALLER,
        "This model is not here",
    ),
    engine.ContextTooLong: _invalid(
        "TEXT_TOO_LONG",
        "The conversation is too long for this model",
        "context_length_exceeded",
    ),
    engine.ContentBlocked: _invalid(
        "CONTENT_POLICY_VIOLATION", "The content was blocked", "content_filter"
    ),
    engine.BudgetExceeded: Row(
        "QUOTA_EXCEEDED",
        429,
        "insufficient_quota",
        "insufficient_quota",
        "billing_error",
        F.OWN_LIMIT,
        "A budget is used up",
    ),
    engine.RateLimited: Row(
        "RATE_LIMIT_EXCEEDED",
        429,
        _LIMIT,
        "rate_limit_exceeded",
        _LIMIT,
        F.OWN_LIMIT,
        "Too many requests at once",
    ),
    engine.Unpriced: Row(
        _GUIDE_INVALID,
        400,
        _INVALID,
        "unpriced",
        _INVALID,
        F.CONFIGURATION,
        "This model has no price",
    ),
    # one deployment
    engine.UpstreamError: _upstream(502, "upstream_error", _API, F.PROVIDER, "The provider failed"),
    engine.UpstreamTimeout: Row(
        "TIMEOUT",
        504,
        _SERVER,
        "upstream_timeout",
        "timeout_error",
        F.PROVIDER,
        "The provider did not answer in time",
    ),
    engine.UpstreamUnavailable: _upstream(
        502, "upstream_unavailable", _API, F.PROVIDER, "The provider was not reached, or failed"
    ),
    engine.UpstreamOverloaded: _upstream(
        503, "upstream_overloaded", _OVER, F.PROVIDER, "The provider is overloaded"
    ),
    engine.UpstreamThrottled: Row(
        "RATE_LIMIT",
        429,
        _LIMIT,
        "rate_limit_exceeded",
        _LIMIT,
        F.LIMIT,
        "The provider's rate limit is reached",
    ),
    engine.QuotaExhausted: Row(
        "QUOTA_EXCEEDED",
        503,
        _SERVER,
        "upstream_quota_exhausted",
        _API,
        F.CONFIGURATION,
        "Our account at the provider is empty",
    ),
    engine.UpstreamRejected: _invalid(
        _GUIDE_INVALID, "The provider refused the request", "upstream_rejected"
    ),
    # Never 401: a client would blame its own key.
    engine.CredentialRejected: _upstream(
        502,
        "upstream_credential_rejected",
        _API,
        F.CONFIGURATION,
        "The provider refused our key",
    ),
    engine.UpstreamMisconfigured: _upstream(
        502,
        "upstream_misconfigured",
        _API,
        F.CONFIGURATION,
        "The provider does not know this model or address",
    ),
    engine.UpstreamGarbled: _upstream(
        502, "upstream_garbled", _API, F.PROVIDER, "The provider sent something malformed"
    ),
    engine.StreamCut: _upstream(502, "stream_cut", _API, F.PROVIDER, "The answer broke off"),
    engine.CircuitOpen: _upstream(
        503, "circuit_open", _OVER, F.NOBODY_LEFT, "The provider is given a rest"
    ),
    engine.NoDeploymentAvailable: _upstream(
        503,
        "no_deployment_available",
        _OVER,
        F.NOBODY_LEFT,
        "No provider could answer",
    ),
    # ourselves
    engine.AnswerInvalid: _upstream(
        502, "answer_invalid", _API, F.PROVIDER, "The answer does not fit its schema"
    ),
    engine.NotCached: _upstream(
        503, "not_cached", _OVER, F.GATEWAY, "No answer is kept that could be given now"
    ),
    engine.ServiceDegraded: Row(
        "SERVICE_DEGRADED",
        503,
        _SERVER,
        "service_degraded",
        _OVER,
        F.NOBODY_LEFT,
        "Reduced mode: only saved answers are given",
    ),
    engine.LedgerUnavailable: _upstream(
        503, "ledger_unavailable", _API, F.GATEWAY, "The spending could not be recorded"
    ),
    engine.ServerStopping: _upstream(
        503, "server_stopping", _OVER, F.GATEWAY, "The server is being restarted"
    ),
    engine.Cancelled: Row(
        _GUIDE_INTERNAL,
        499,
        _SERVER,
        "cancelled",
        _API,
        F.CALLER,
        "The caller left",
        is_user_facing=False,
    ),
})

CODES: Mapping[str, Row] = MappingProxyType({
    kind.code: row for kind, row in reversed(list(TABLE.items()))
})
"""By the engine's own code; of classes that share one the first counts."""


def row_of(error: BaseException) -> Row:
    """Find the nearest class's. Where a route failed with one class only, that one speaks."""
    if isinstance(error, engine.NoDeploymentAvailable):
        classes = {type(failure) for _, failure in error.failures}
        if len(classes) == 1:
            return _nearest(classes.pop())
    return _nearest(type(error))


def row_of_code(code: str) -> Row | None:
    """Find the row of a code that was stored; None: this version does not know it."""
    return CODES.get(code)


@dataclass(frozen=True, slots=True)
class Shown:
    """An error as the guide's `ServiceError`: what a script of ours gets."""

    code: str
    message: str
    user_facing: bool
    retryable: bool
    retry_after: float | None = None
    context: Mapping[str, object] = field(default_factory=dict[str, object])


def shown(error: BaseException) -> Shown:
    """Tell of an error. One that is not the engine's shows nothing and is not retryable."""
    row = row_of(error)
    if not isinstance(error, engine.EngineError):
        message = "An error of ours, not of yours; it is in our log."
        return Shown(row.guide, message, row.is_user_facing, retryable=False)
    return Shown(
        row.guide,
        error.message,
        row.is_user_facing,
        retryable=error.may_retry,
        retry_after=error.retry_after_s,
        context=_context(error),
    )


def _context(error: engine.EngineError) -> dict[str, object]:
    """Facts beside the message, for programs; none of them is content."""
    facts: dict[str, object] = {}
    match error:
        case engine.InvalidRequest(param=str(param)):
            facts["path"] = param
        case engine.ContentBlocked(violations=violations) if violations:
            facts["violations"] = [{"category": v.category, "path": v.path} for v in violations]
        case engine.BudgetExceeded(budget=budget, resets_at=resets_at):
            facts["budget"] = budget
            facts["resets_at"] = resets_at.isoformat() if resets_at else None
        case engine.AnswerInvalid(faults=faults):
            facts["faults"] = list(faults)
        case engine.NoDeploymentAvailable(failures=failures):
            facts["attempts"] = [
                {"deployment": name, "code": cause.code} for name, cause in failures
            ]
        case engine.ServiceDegraded(health_score=score):
            facts["health_score"] = score
        case _:
            pass
    return facts


def _nearest(fault: type[BaseException]) -> Row:
    bases = (base for base in fault.__mro__ if issubclass(base, engine.EngineError))
    return next((TABLE[base] for base in bases if base in TABLE), INTERNAL)
