"""What the team that pays wants; None and empty mean: as the installation has it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class FilterMode(StrEnum):
    OFF = "off"
    FLAG = "flag"
    REDACT = "redact"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class PredefinedAnswer:
    """Given in emergency mode to a prompt that has `match` in it, in any case; empty: to any."""

    match: str
    answer: str


@dataclass(frozen=True, slots=True)
class NamedPattern:
    """A regular expression of the team's own; what it finds is shown as `name`."""

    name: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Policy:
    """A level applies below its score, 0..1; caps are in tokens.

    `pii_detectors` empty: every detector there is.
    """

    simplified_below: float | None = None
    essential_below: float | None = None
    emergency_below: float | None = None
    simplified_tokens: int | None = None
    essential_tokens: int | None = None
    fast_route: str = ""
    answers: tuple[PredefinedAnswer, ...] = ()
    pii_input: FilterMode = FilterMode.OFF
    pii_output: FilterMode = FilterMode.OFF
    pii_tools: FilterMode = FilterMode.OFF
    pii_detectors: tuple[str, ...] = ()
    pii_allow: tuple[str, ...] = ()
    pii_patterns: tuple[NamedPattern, ...] = ()


NONE = Policy()

Policies = Callable[[int | None], Policy]
"""The policy of a team by its id; of nobody in particular for None."""
