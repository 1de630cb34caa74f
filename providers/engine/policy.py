"""What the team that pays wants; None and empty mean: as the installation has it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from providers.engine.usage import NANO_PER_USD


class FilterMode(StrEnum):
    OFF = "off"
    FLAG = "flag"
    REDACT = "redact"
    BLOCK = "block"


class AfterHangUp(StrEnum):
    """What becomes of an answer whose caller has gone."""

    ABORT = "abort"
    DRAIN = "drain"


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

    `pii_detectors` empty: every detector there is. An answer that is drained is read on for
    `drain_s` seconds at most, and while what comes costs no more than `drain_usd`.
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
    hang_up: AfterHangUp = AfterHangUp.ABORT
    drain_s: int = 60
    drain_usd: Decimal = Decimal(1)

    @property
    def drain_nano(self) -> int:
        return int(self.drain_usd * NANO_PER_USD)


NONE = Policy()

Policies = Callable[[int | None], Policy]
"""The policy of a team by its id; of nobody in particular for None."""
