"""The board of the health page: each deployment's state and why, and a verdict in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from providers.engine.ports import BreakerState, BreakerWord
from providers.health import faults, samples, served
from providers.health.faults import Fault
from providers.health.samples import HOUR, ErrorCount, Row, Samples
from providers.health.served import Served
from providers.models import Probe

GOOD_SHARE = 0.95
POOR_SHARE = 0.5
NAMED = 3


class Condition(StrEnum):
    """Worst first."""

    FAILING = "Failing"
    RESTING = "Resting"
    TRYING = "Trying again"
    DEGRADED = "Degraded"
    WORKING = "Working"
    QUIET = "No traffic"
    OFF = "Switched off"


class Level(StrEnum):
    """`UNKNOWN`: there is nothing to judge by, which is not the same as good."""

    GOOD = "ok"
    DEGRADED = "warn"
    DOWN = "bad"
    UNKNOWN = "mute"


LEVELS: Mapping[Condition, Level] = {
    Condition.FAILING: Level.DOWN,
    Condition.RESTING: Level.DOWN,
    Condition.TRYING: Level.DEGRADED,
    Condition.DEGRADED: Level.DEGRADED,
    Condition.WORKING: Level.GOOD,
    Condition.QUIET: Level.UNKNOWN,
    Condition.OFF: Level.UNKNOWN,
}
WORDS: Mapping[Condition, str] = {
    Condition.FAILING: "failing",
    Condition.RESTING: "resting after failures",
    Condition.TRYING: "being tried again",
    Condition.DEGRADED: "degraded",
}


@dataclass(frozen=True)
class DeploymentHealth:
    """`breaker` None: this process has not used the deployment yet. `probe` None: never probed."""

    row: Row
    samples: Samples
    breaker: BreakerState | None
    probe: Probe | None
    condition: Condition

    @property
    def level(self) -> Level:
        return LEVELS[self.condition]

    @property
    def error_words(self) -> str:
        return faults.words(self.row.failed.code) if self.row.failed else ""

    @property
    def error_fault(self) -> str:
        return faults.whose(self.row.failed.code) if self.row.failed else ""


@dataclass(frozen=True)
class ErrorLine:
    fault: Fault
    words: str
    error: ErrorCount


@dataclass(frozen=True)
class Verdict:
    """`headline` fits into the bar of every page, `reason` names what is not well."""

    level: Level
    headline: str
    reason: str


@dataclass(frozen=True)
class Board:
    """The last hour up to `as_of`; `deployments` worst first, `errors` by whose fault they are."""

    as_of: datetime
    verdict: Verdict
    served: Served
    deployments: tuple[DeploymentHealth, ...]
    errors: tuple[ErrorLine, ...]


def read(now: datetime, breakers: Iterable[BreakerState]) -> Board:
    deployments = _deployments(now, breakers)
    got = served.read(now)
    errors = [
        ErrorLine(faults.whose(one.code), faults.words(one.code), one)
        for one in samples.errors(now)
    ]
    order = list(Fault)
    return Board(
        as_of=now,
        verdict=verdict(deployments, got),
        served=got,
        deployments=tuple(deployments),
        errors=tuple(sorted(errors, key=lambda line: order.index(line.fault))),
    )


def summary(now: datetime, breakers: Iterable[BreakerState]) -> Verdict:
    """Give the verdict alone, for the bar of every page."""
    return verdict(_deployments(now, breakers), served.read(now))


def verdict(deployments: Iterable[DeploymentHealth], got: Served) -> Verdict:
    on = [one for one in deployments if one.condition is not Condition.OFF]
    judged = [one for one in on if one.level is not Level.UNKNOWN]
    unwell = [one for one in judged if one.level is not Level.GOOD]
    reason = _named(unwell)
    failed = got.failed_share or 0.0
    if not on:
        return Verdict(Level.UNKNOWN, "No provider", "Connect a provider to see its health here.")
    if not judged:
        return Verdict(Level.UNKNOWN, "No traffic", "Nothing was asked in the last hour.")
    if failed >= POOR_SHARE or all(one.level is Level.DOWN for one in judged):
        return Verdict(Level.DOWN, "Failing", reason or "Most requests of the last hour failed.")
    if unwell or failed > 1 - GOOD_SHARE:
        return Verdict(Level.DEGRADED, "Degraded", reason or "More requests fail than usual.")
    return Verdict(Level.GOOD, "All good", _counted(len(judged), len(on)))


def condition(
    row: Row, found: Samples, breaker: BreakerState | None, probe: Probe | None, now: datetime
) -> Condition:
    if not row.is_enabled:
        return Condition.OFF
    if breaker is not None and breaker.word is not BreakerWord.CLOSED:
        return Condition.RESTING if breaker.word is BreakerWord.OPEN else Condition.TRYING
    # Few samples of the last minutes say less than the hour that they are part of.
    share = (found.hour if found.five_minutes.is_few else found.five_minutes).share
    if share is None:
        lately = probe is not None and probe.at >= now - HOUR
        return Condition.FAILING if probe and lately and not probe.ok else Condition.QUIET
    if share >= GOOD_SHARE:
        return Condition.WORKING
    return Condition.DEGRADED if share >= POOR_SHARE else Condition.FAILING


def _deployments(now: datetime, breakers: Iterable[BreakerState]) -> list[DeploymentHealth]:
    rows = samples.rows(now)
    found = samples.by_deployment(now)
    probes = {
        probe.deployment_id: probe
        for probe in Probe.objects.order_by("deployment_id", "-at").distinct("deployment_id")
    }
    states = _worst_states(breakers)
    order = list(Condition)
    return sorted(
        (
            _health(
                row, found.get(row.name, Samples()), states.get(row.id), probes.get(row.id), now
            )
            for row in rows
        ),
        key=lambda one: (order.index(one.condition), one.row.name),
    )


def _health(
    row: Row, found: Samples, breaker: BreakerState | None, probe: Probe | None, now: datetime
) -> DeploymentHealth:
    return DeploymentHealth(row, found, breaker, probe, condition(row, found, breaker, probe, now))


def _worst_states(breakers: Iterable[BreakerState]) -> dict[int, BreakerState]:
    """Keep one for each deployment: two loops of a process have a board each."""
    order = [BreakerWord.CLOSED, BreakerWord.HALF_OPEN, BreakerWord.OPEN]
    by_badness = sorted(breakers, key=lambda state: order.index(state.word))
    return {state.deployment_id: state for state in by_badness}


def _named(unwell: list[DeploymentHealth]) -> str:
    """Name the first few: the list below the verdict has them all."""
    first = ", ".join(f"{one.row.name} is {WORDS[one.condition]}" for one in unwell[:NAMED])
    more = f", and {len(unwell) - NAMED} more are not well" if len(unwell) > NAMED else ""
    return f"{first}{more}." if unwell else ""


def _counted(judged: int, on: int) -> str:
    if judged == on:
        return "Every deployment works." if on > 1 else "The one deployment works."
    return f"{judged} of {on} deployments had traffic, and all of those work."
