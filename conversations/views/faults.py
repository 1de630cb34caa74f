"""An error for a reader: what happened, whose fault, was it charged, what now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from conversations.models import Generation

_LIMIT = "A limit of yours or of your team stopped it, not the provider."
_REQUEST = "The request itself was refused; the same one again will not pass."
_SETUP = "The provider's set-up is at fault; an operator has to look at it."
_PROVIDER = "The provider is at fault, neither you nor your prompt."
_OURS = "This server is at fault, neither you nor the provider."

_TITLES_AND_BLAME = {
    "budget_exceeded": ("A budget is used up", _LIMIT),
    "rate_limited": ("Too many requests at once", _LIMIT),
    "unpriced": ("This model has no price", _SETUP),
    "model_not_found": ("This model is not here", _SETUP),
    "invalid_request": ("The request was not accepted", _REQUEST),
    "context_length_exceeded": ("The conversation is too long for this model", _REQUEST),
    "content_blocked": ("The content was blocked", _REQUEST),
    "upstream_rejected": ("The provider refused the request", _REQUEST),
    "credential_rejected": ("The provider refused our key", _SETUP),
    "upstream_quota_exhausted": ("Our account at the provider is empty", _SETUP),
    "stream_cut": ("The answer broke off", _PROVIDER),
    "upstream_timeout": ("The provider did not answer in time", _PROVIDER),
    "interrupted": ("The answer was interrupted", _OURS),
    "ledger_unavailable": ("The spending could not be recorded", _OURS),
    "internal_error": ("Something went wrong", _OURS),
}
_OTHER = ("No provider could answer", _PROVIDER)


@dataclass(frozen=True)
class Fault:
    """`cost_nano` is set when it is known what the failed answer cost."""

    title: str
    message: str
    blame: str
    charged: str
    cost_nano: int | None


def fault_of(generation: Generation) -> Fault | None:
    error: dict[str, Any] | None = generation.error
    if error is None:
        return None
    title, blame = _TITLES_AND_BLAME.get(error["code"], _OTHER)
    return Fault(title, error["message"], blame, _charged(generation, error), generation.cost_nano)


def _charged(generation: Generation, error: dict[str, Any]) -> str:
    if error.get("charged") == "no" or generation.cost_nano == 0:
        return "Nothing was charged."
    if generation.cost_nano is not None:
        return "It was charged:"
    if error["code"] == "interrupted":
        return "What had arrived is charged by estimate once its hold expires."
    return "Nothing was booked for it."
