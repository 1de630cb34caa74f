"""Any mix of permits, results, time and new limits keeps a circuit as the plainest model says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from providers.engine.circuit import Circuit, Failure
from providers.engine.ports import BreakerLimits

REST, LONGEST, PROBES, SUCCESSES, PROBE_S, WINDOW = 8, 20, 2, 2, 16, 10
VOLUME, RATE = 4, 0.5


class Model:
    """Written from the words of the requirement: a list of results, and what follows from it."""

    def __init__(self) -> None:
        self.time = 0
        self.word = "closed"
        self.era = 0
        self.results: list[tuple[int, bool]] = []
        self.out = self.good = self.opened = 0
        self.rest_until = self.probing_since = 0

    def turn(self, word: str) -> None:
        self.word, self.era = word, self.era + 1
        self.results, self.out, self.good = [], 0, 0
        self.probing_since = self.time
        if word == "closed":
            self.opened = 0
        if word == "open":
            self.opened += 1
            doubled = REST * 2 ** (self.opened - 1)
            self.rest_until = self.time + min(doubled, LONGEST)

    def may_pass(self) -> bool:
        if self.word == "open" and self.time >= self.rest_until:
            self.turn("half-open")
        if self.word == "half-open":
            if self.out == PROBES and self.time - self.probing_since >= PROBE_S:
                self.out, self.probing_since = 0, self.time
            if self.out == PROBES:
                return False
            self.out += 1
        return self.word != "open"

    def hear(self, era: int, result: str, threshold: int) -> None:
        if era != self.era:
            return
        if result == "returned":
            self.out = max(self.out - 1, 0)
            return
        is_good = result == "succeeded"
        self.results.append((self.time, is_good))
        if self.word == "half-open":
            self.good += is_good
            if not is_good:
                self.turn("open")
            elif self.good == SUCCESSES:
                self.turn("closed")
        elif not is_good and (self.row() >= threshold or self.is_bad()):
            self.turn("open")

    def row(self) -> int:
        """Count the failures since the last success."""
        row = 0
        for _, is_good in reversed(self.results):
            if is_good:
                break
            row += 1
        return row

    def is_bad(self) -> bool:
        # One slot of the window is a second here, so that whole seconds are exact.
        lately = [good for at, good in self.results if self.time - at < WINDOW]
        return len(lately) >= VOLUME and lately.count(False) / len(lately) >= RATE


class Interleavings(RuleBasedStateMachine):
    permits: Bundle[tuple[int, int]] = Bundle("permits")

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.turns: list[tuple[str, str]] = []
        self.circuit = Circuit(lambda before, after, _: self.turns.append((before, after)))
        self.limits = self.limited(3)

    def limited(self, threshold: int) -> BreakerLimits:
        return BreakerLimits(
            threshold=threshold,
            rest_s=REST,
            probes=PROBES,
            successes=SUCCESSES,
            longest_rest_s=LONGEST,
            window_s=WINDOW,
            volume=VOLUME,
            error_rate=RATE,
            probe_s=PROBE_S,
        )

    @rule(target=permits)
    def admit(self) -> tuple[int, int]:
        epoch = self.circuit.admit(self.model.time, self.limits)
        assert (epoch is not None) == self.model.may_pass()
        return (-1, -1) if epoch is None else (epoch, self.model.era)

    @rule(permit=consumes(permits), result=st.sampled_from(["succeeded", "failed", "returned"]))
    def report(self, permit: tuple[int, int], result: str) -> None:
        epoch, era = permit
        now = self.model.time
        arguments: dict[str, tuple[Any, ...]] = {
            "succeeded": (now, self.limits),
            "failed": (now, self.limits, Failure(datetime(2026, 1, 1, tzinfo=UTC), 1.0)),
            "returned": (),
        }
        getattr(self.circuit, result)(epoch, *arguments[result])
        self.model.hear(era, result, self.limits.threshold)

    @rule(seconds=st.integers(0, 25))
    def wait(self, seconds: int) -> None:
        self.model.time += seconds

    @rule(threshold=st.integers(1, 4))
    def change_limits(self, threshold: int) -> None:
        self.limits = self.limited(threshold)

    @rule()
    def reset(self) -> None:
        self.circuit.reset(self.model.time)
        self.model.turn("closed")

    @invariant()
    def agrees_with_the_model(self) -> None:
        assert self.circuit.word == self.model.word
        assert 0 <= self.circuit.probes <= PROBES
        legal = {
            ("closed", "open"),
            ("open", "half-open"),
            ("half-open", "open"),
            ("half-open", "closed"),
        }
        assert all(turn in legal or turn[1] == "closed" for turn in self.turns)


Interleavings.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestInterleavings = Interleavings.TestCase
