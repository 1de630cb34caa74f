"""Any mix of permits, results and time keeps a circuit legal."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from providers.engine.steps.breaker import Circuit, Limits


class Interleavings(RuleBasedStateMachine):
    """A circuit beside the plainest model of one, at any mix of permits, results and time."""

    permits: Bundle[tuple[int, int]] = Bundle("permits")

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0
        self.word, self.failures, self.good, self.out, self.era = "closed", 0, 0, 0, 0
        self.rests_until = 0.0
        self.circuit = Circuit(
            Limits(threshold=3, rest_s=10, probes=2, successes=2),
            now=lambda: self.time,
            utcnow=lambda: datetime(2026, 1, 1, tzinfo=UTC),
            changed=lambda word: None,
        )

    def turn(self, word: str) -> None:
        self.word, self.failures, self.good, self.out = word, 0, 0, 0
        self.era += 1

    @rule(target=permits)
    def admit(self) -> object:
        epoch = self.circuit.admit()
        if self.word == "open" and self.time >= self.rests_until:
            self.turn("half-open")
        allowed = self.word == "closed" or (self.word == "half-open" and self.out < 2)
        assert (epoch is not None) == allowed
        if epoch is None:
            return (-1, -1)
        self.out += 1
        return (epoch, self.era)

    @rule(permit=consumes(permits), result=st.sampled_from(["succeeded", "failed", "returned"]))
    def report(self, permit: tuple[int, int], result: str) -> None:
        epoch, era = permit
        getattr(self.circuit, result)(epoch)
        if era != self.era:
            return
        if result == "returned":
            self.out -= 1
        elif result == "failed":
            self.failures += 1
            if self.word == "half-open" or self.failures == 3:
                self.turn("open")
                self.rests_until = self.time + 10
        else:
            self.failures, self.good = 0, self.good + 1
            if self.word == "half-open" and self.good == 2:
                self.turn("closed")

    @rule(seconds=st.integers(0, 15))
    def wait(self, seconds: int) -> None:
        self.time += seconds

    @invariant()
    def agrees_with_the_model(self) -> None:
        assert self.circuit.word == self.word
        assert 0 <= self.circuit.probes <= 2


Interleavings.TestCase.settings = settings(max_examples=50, deadline=None)
TestInterleavings = Interleavings.TestCase
