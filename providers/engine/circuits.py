"""The circuits of this process."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from providers.engine.circuit import Cause, Circuit, Counted, Failure, words
from providers.engine.ports import (
    BreakerChange,
    BreakerLimits,
    BreakerState,
    BreakerWord,
    Changed,
    CircuitKey,
    Now,
    Outcome,
    Permit,
    Random,
    Resting,
    UtcNow,
)


@dataclass(frozen=True, slots=True)
class Adopted:
    """A circuit that rests for `rest_s` more, as somebody else found; 0: it is to be tested."""

    rest_s: float
    again: int
    cause: Cause
    counted: Counted
    opened_at: datetime | None


@dataclass(slots=True)
class LocalCircuits:
    """The circuits of this process, for one loop. Implements `ports.Circuits`."""

    now: Now
    utcnow: UtcNow
    random: Random
    _changed: Changed = field(default=lambda _: None)
    _circuits: dict[CircuitKey, Circuit] = field(default_factory=dict[CircuitKey, Circuit])
    _limits: BreakerLimits = field(default_factory=BreakerLimits)

    def listen(self, changed: Changed) -> None:
        self._changed = changed

    async def admit(self, key: CircuitKey, limits: BreakerLimits) -> Permit | Resting:
        self._limits = limits
        now, circuit = self.now(), self._circuit(key)
        epoch = circuit.admit(now, limits)
        if epoch is not None:
            return Permit(epoch)
        rests = circuit.word is BreakerWord.OPEN
        return Resting(circuit.rests_until - now if rests else None)

    def report(
        self, key: CircuitKey, permit: Permit, outcome: Outcome, limits: BreakerLimits
    ) -> None:
        self._limits = limits
        circuit = self._circuit(key)
        match outcome:
            case Outcome.OK:
                circuit.succeeded(permit.epoch, self.now(), limits)
            case Outcome.FAILED:
                at = Failure(self.utcnow(), self.random())
                circuit.failed(permit.epoch, self.now(), limits, at)
            case Outcome.RETURNED:
                circuit.returned(permit.epoch)

    def reset(self, deployment_id: int) -> None:
        for key, circuit in list(self._circuits.items()):
            if key.deployment_id == deployment_id:
                circuit.reset(self.now())

    def snapshot(self, limits: BreakerLimits) -> list[BreakerState]:
        now = self.now()
        return [
            state_of(key, circuit, now, limits) for key, circuit in sorted(self._circuits.items())
        ]

    def note(self, key: CircuitKey, outcome: Outcome, limits: BreakerLimits) -> None:
        """Count a result whose permit was given elsewhere."""
        self.report(key, Permit(self._circuit(key).epoch), outcome, limits)

    def adopt(self, key: CircuitKey, found: Adopted) -> None:
        """Go on from what somebody else found; not a transition."""
        now = self.now()
        circuit = self._circuits[key] = Circuit(
            self._circuit(key).turned,
            word=BreakerWord.OPEN,
            again=found.again,
            since=now,
            rests_until=now + found.rest_s,
            opened_at=found.opened_at,
            cause=found.cause,
            decided=found.counted,
        )
        # No permit of an earlier life may be of use.
        circuit.epoch = round(now * 1000)

    def resting(self) -> list[tuple[CircuitKey, Adopted]]:
        """List what somebody else could adopt."""
        now = self.now()
        return [
            (key, _adoptable(circuit, now))
            for key, circuit in self._circuits.items()
            if circuit.word is BreakerWord.OPEN and not circuit.has_rested(now)
        ]

    def _circuit(self, key: CircuitKey) -> Circuit:
        circuit = self._circuits.get(key)
        if circuit is None:

            def turned(before: BreakerWord, after: BreakerWord, cause: Cause) -> None:
                self._tell(key, before, after, cause)

            circuit = self._circuits[key] = Circuit(turned)
        return circuit

    def _tell(self, key: CircuitKey, before: BreakerWord, after: BreakerWord, cause: Cause) -> None:
        circuit, rests = self._circuits[key], after is BreakerWord.OPEN
        reason = words(cause, circuit.decided, self._limits)
        rest = circuit.rests_until - self.now() if rests else None
        self._changed(BreakerChange(key, before, after, reason, rest))


def _adoptable(circuit: Circuit, now: float) -> Adopted:
    rest = circuit.rests_until - now
    return Adopted(rest, circuit.again, circuit.cause, circuit.decided, circuit.opened_at)


def state_of(key: CircuitKey, circuit: Circuit, now: float, limits: BreakerLimits) -> BreakerState:
    """Show the circuit as of `now`, without noticing that its rest is over."""
    word = BreakerWord.HALF_OPEN if circuit.has_rested(now) else circuit.word
    is_closed = word is BreakerWord.CLOSED
    counted = circuit.counted(now, limits) if is_closed else circuit.decided
    return BreakerState(
        deployment_id=key.deployment_id,
        word=word,
        consecutive_failures=counted.consecutive,
        opened_at=circuit.opened_at,
        retry_in_s=circuit.rests_until - now if word is BreakerWord.OPEN else None,
        credential=key.credential,
        failed=counted.failed,
        total=counted.total,
        reason="" if is_closed else words(circuit.cause, circuit.decided, limits),
        probes=circuit.probes,
        successes=circuit.successes,
    )
