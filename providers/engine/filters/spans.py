"""What was found and where, and how it is replaced."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What detectors know, the most telling first: of overlapping finds the first names both."""

    API_KEY = "api_key"
    JWT = "jwt"
    EMAIL = "email"
    IBAN = "iban"
    CREDIT_CARD = "credit_card"
    SSN = "ssn"
    IP_ADDRESS = "ip_address"
    PHONE = "phone"


_RANK = {kind.value: rank for rank, kind in enumerate(Kind)}


@dataclass(frozen=True, slots=True)
class Span:
    """`kind` is a `Kind`, or the name of a team's own pattern."""

    start: int
    end: int
    kind: str


def merged(spans: Iterable[Span]) -> list[Span]:
    """Join what overlaps, in order of place; a team's own pattern names it before any detector."""
    joined: list[Span] = []
    for span in sorted(spans, key=lambda each: (each.start, -each.end, _rank(each), each.kind)):
        if joined and span.start < joined[-1].end:
            last = joined[-1]
            kind = min((last, span), key=_rank).kind
            joined[-1] = Span(last.start, max(last.end, span.end), kind)
        else:
            joined.append(span)
    return joined


def replaced(text: str, spans: Sequence[Span]) -> str:
    """Put the placeholder of its kind in the place of each; `spans` are in order and apart."""
    if not spans:
        return text
    pieces: list[str] = []
    last = 0
    for span in spans:
        pieces += (text[last : span.start], placeholder(span.kind))
        last = span.end
    return "".join((*pieces, text[last:]))


def placeholder(kind: str) -> str:
    """Name the kind alone: a prompt that is sent again is changed alike."""
    return f"[{re.sub(r'[^A-Z0-9]+', '_', kind.upper())}_REDACTED]"


def _rank(span: Span) -> int:
    return _RANK.get(span.kind, -1)
