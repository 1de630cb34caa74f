"""The rules of one circuit. State that processes share follows the same ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from providers.engine.ports import (
    BreakerLimits,
    BreakerWord,
)

# A window moves by a tenth of itself.
SLOTS = 10
# Beyond so many doublings every rest is the longest.
_MOST_DOUBLINGS = 16


class Cause(StrEnum):
    """What a transition was decided by."""

    ROW = "row"
    RATE = "rate"
    PROBE = "probe"
    RESTED = "rested"
    PROVED = "proved"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class Counted:
    consecutive: int = 0
    failed: int = 0
    total: int = 0


Turned = Callable[[BreakerWord, BreakerWord, Cause], None]


@dataclass(slots=True)
class Circuit:
    """Seconds of a clock that is given with each step. Counters start anew with each transition.

    Half-open is entered by the clock; whoever looks first notices it. `decided` is what opened it
    last, `again` how often it was opened since it was closed.
    """

    turned: Turned
    word: BreakerWord = BreakerWord.CLOSED
    epoch: int = 0
    failures: int = 0
    probes: int = 0
    successes: int = 0
    again: int = 0
    since: float = 0.0
    rests_until: float = 0.0
    opened_at: datetime | None = None
    cause: Cause = Cause.RESET
    decided: Counted = field(default_factory=Counted)
    window: dict[int, tuple[int, int]] = field(default_factory=dict[int, tuple[int, int]])

    def admit(self, now: float, limits: BreakerLimits) -> int | None:
        """Answer the epoch of the permit; None: it rests, or its probes are under way."""
        if self.has_rested(now):
            self._become(BreakerWord.HALF_OPEN, Cause.RESTED, now)
        if self.word is BreakerWord.OPEN:
            return None
        if self.word is BreakerWord.HALF_OPEN:
            if self.probes >= limits.probes:
                if now - self.since < limits.probe_s:
                    return None
                # A process that died with its permits must not keep the circuit half-open.
                self.probes, self.since = 0, now
            self.probes += 1
        return self.epoch

    def succeeded(self, epoch: int, now: float, limits: BreakerLimits) -> None:
        if epoch != self.epoch:
            return
        self.failures = 0
        self._count(now, limits, failed=0)
        if self.word is BreakerWord.HALF_OPEN:
            self.successes += 1
            if self.successes >= limits.successes:
                self.again = 0
                self._become(BreakerWord.CLOSED, Cause.PROVED, now)

    def failed(self, epoch: int, now: float, limits: BreakerLimits, at: Failure) -> None:
        if epoch != self.epoch:
            return
        self.failures += 1
        self._count(now, limits, failed=1)
        cause = self._reason_to_open(now, limits)
        if cause is None:
            return
        self.again = self.again + 1 if cause is Cause.PROBE else 0
        self.decided = self.counted(now, limits)
        self.rests_until = now + rest_s(limits, self.again, at.random)
        self.opened_at = at.moment
        self._become(BreakerWord.OPEN, cause, now)

    def returned(self, epoch: int) -> None:
        """Give the permit back: it ended without saying anything of the deployment's health."""
        if epoch == self.epoch and self.word is BreakerWord.HALF_OPEN:
            self.probes = max(self.probes - 1, 0)

    def reset(self, now: float) -> None:
        self.again, self.decided = 0, Counted()
        self._become(BreakerWord.CLOSED, Cause.RESET, now)

    def has_rested(self, now: float) -> bool:
        return self.word is BreakerWord.OPEN and now >= self.rests_until

    def counted(self, now: float, limits: BreakerLimits) -> Counted:
        slot = slot_of(now, limits)
        recent = [both for at, both in list(self.window.items()) if slot - SLOTS < at <= slot]
        return Counted(
            self.failures, sum(failed for _, failed in recent), sum(total for total, _ in recent)
        )

    def _reason_to_open(self, now: float, limits: BreakerLimits) -> Cause | None:
        if self.word is BreakerWord.HALF_OPEN:
            return Cause.PROBE
        if self.failures >= limits.threshold:
            return Cause.ROW
        counted = self.counted(now, limits)
        is_enough = counted.total >= limits.volume
        return Cause.RATE if is_enough and is_bad(counted, limits) else None

    def _count(self, now: float, limits: BreakerLimits, *, failed: int) -> None:
        slot = slot_of(now, limits)
        total, bad = self.window.get(slot, (0, 0))
        if not total:
            self.window = {at: n for at, n in self.window.items() if slot - SLOTS < at < slot}
        self.window[slot] = (total + 1, bad + failed)

    def _become(self, word: BreakerWord, cause: Cause, now: float) -> None:
        before, self.word, self.cause, self.since = self.word, word, cause, now
        self.epoch += 1
        self.failures = self.probes = self.successes = 0
        self.window = {}
        if word is BreakerWord.CLOSED:
            self.opened_at = None
        self.turned(before, word, cause)


@dataclass(frozen=True, slots=True)
class Failure:
    """When it was, for people, and the luck of a rest that it may lead to (0..1)."""

    moment: datetime
    random: float


def slot_of(now: float, limits: BreakerLimits) -> int:
    return int(now * SLOTS // limits.window_s)


def is_bad(counted: Counted, limits: BreakerLimits) -> bool:
    return counted.failed >= limits.error_rate * counted.total


def rest_s(limits: BreakerLimits, again: int, random: float) -> float:
    """Seconds: the first rest as configured; then twice as long each time, less up to a half."""
    longest = max(limits.longest_rest_s, limits.rest_s)
    if not again:
        return limits.rest_s
    doubled = limits.rest_s * 2.0 ** min(again, _MOST_DOUBLINGS)
    return min(doubled, longest) * (0.5 + random / 2)


def words(cause: Cause, counted: Counted, limits: BreakerLimits) -> str:
    """Say what it was decided by."""
    return _WORDS[cause].format(c=counted, limits=limits)


_WORDS = {
    Cause.ROW: "{c.consecutive} failures in a row, threshold {limits.threshold}",
    Cause.RATE: (
        "{c.failed} of the last {c.total} failed within {limits.window_s:g} s, "
        "threshold {limits.error_rate:.0%} of {limits.volume} or more"
    ),
    Cause.PROBE: "a request that tested it failed",
    Cause.RESTED: "its rest is over",
    Cause.PROVED: "{limits.successes} requests that tested it were answered",
    Cause.RESET: "reset by an operator",
}
