"""What was found, in words for who sent it or reads it; never the text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from providers.engine.errors import ContentBlocked, Violation
from providers.engine.events import Safety
from providers.engine.filters.spans import Kind
from providers.engine.policy import FilterMode
from providers.engine.request import ToolResult

UNCHECKED = "unchecked"
"""The category where a detector broke: what may not leave unseen stays here."""

LABELS: Mapping[str, str] = {
    Kind.API_KEY: "an API key",
    Kind.JWT: "an access token",
    Kind.EMAIL: "an e-mail address",
    Kind.IBAN: "a bank account number",
    Kind.CREDIT_CARD: "a card number",
    Kind.SSN: "a social security number",
    Kind.IP_ADDRESS: "an IP address",
    Kind.PHONE: "a telephone number",
    UNCHECKED: "text that could not be checked",
}
_DONE: Mapping[FilterMode, str] = {
    FilterMode.FLAG: "was noticed and left as it is",
    FilterMode.REDACT: "was replaced",
    FilterMode.BLOCK: "was blocked",
}
_PLACES = {"input": "the prompt", "output": "the answer", "tools": "a tool's result"}
_MOST_PATHS = 5


def label(kind: str) -> str:
    return LABELS.get(kind, f"something that your team's pattern {kind} finds")


def safety(kind: str, place: str, mode: FilterMode) -> Safety:
    words = label(kind)
    message = f"{words[0].upper()}{words[1:]} in {_PLACES[place]} {_DONE[mode]}."
    return Safety(kind, message, is_blocked=mode is FilterMode.BLOCK)


def blocked(violations: Sequence[Violation]) -> ContentBlocked:
    kinds = dict.fromkeys(violation.category for violation in violations)
    paths = list(dict.fromkeys(each.path for each in violations if each.path))
    where = f" (in {', '.join(paths[:_MOST_PATHS])})" if paths else ""
    return ContentBlocked(
        f"Your team's policy does not let this out: {', '.join(map(label, kinds))}{where}. "
        "Take it out and send the rest.",
        violations=violations,
    )


def kept_back(result: ToolResult, kinds: Iterable[str]) -> ToolResult:
    """Tell the model instead, so that it can go on without."""
    words = ", ".join(map(label, kinds))
    content = f"Kept back: it holds {words}, which the team's policy does not let out."
    return replace(result, content=content, is_error=True)
