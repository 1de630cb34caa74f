"""An error for a reader: what happened, whose fault, was it charged, what now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conversations.models import Generation
from providers.engine.codes import INTERNAL, row_of_code
from providers.engine.codes import Fault as Blamed

_REQUEST = "The request itself was refused; the same one again will not pass."
_PROVIDER = "The provider is at fault, neither you nor your prompt."
_OURS = "This server is at fault, neither you nor the provider."

_BLAME: Mapping[Blamed, str] = {
    Blamed.PROVIDER: _PROVIDER,
    Blamed.LIMIT: _PROVIDER,
    Blamed.NOBODY_LEFT: _PROVIDER,
    Blamed.CONFIGURATION: "The provider's set-up is at fault; an operator has to look at it.",
    Blamed.CALLER: _REQUEST,
    Blamed.OWN_LIMIT: "A limit of yours or of your team stopped it, not the provider.",
    Blamed.GATEWAY: _OURS,
}
_INTERRUPTED = ("The answer was interrupted", _OURS)


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
    title, blame = _title_and_blame(error["code"])
    return Fault(title, error["message"], blame, _charged(generation, error), generation.cost_nano)


def _title_and_blame(code: str) -> tuple[str, str]:
    if code == "interrupted":
        return _INTERRUPTED
    row = row_of_code(code) or INTERNAL
    return row.title, _BLAME[row.fault]


def _charged(generation: Generation, error: dict[str, Any]) -> str:
    if error.get("charged") == "no" or generation.cost_nano == 0:
        return "Nothing was charged."
    if generation.cost_nano is not None:
        return "It was charged:"
    if error["code"] == "interrupted":
        return "The most it can have cost stays held, and is booked within a quarter of an hour."
    return "Nothing was booked for it."
