"""Let a failing deployment rest, then ask it a few times before it is trusted again."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from providers.engine.call import Attempt, AttemptStatus, Stream
from providers.engine.errors import CircuitOpen, UpstreamError
from providers.engine.ports import BreakerState, BreakerWord, Now, Open, UtcNow
from providers.engine.routes import Deployment


@dataclass(frozen=True, slots=True)
class Limits:
    """When a circuit opens and closes. `rest_s` is in seconds."""

    threshold: int = 5
    rest_s: float = 30.0
    probes: int = 5
    successes: int = 3


@dataclass(slots=True)
class Circuit:
    """One deployment's. `epoch` counts transitions: a result of an earlier one is ignored.

    Half-open is entered by the clock; whoever looks first notices it.
    """

    limits: Limits
    now: Now
    utcnow: UtcNow
    changed: Callable[[BreakerWord], None]
    word: BreakerWord = BreakerWord.CLOSED
    epoch: int = 0
    failures: int = 0
    probes: int = 0
    successes: int = 0
    rests_until: float = 0.0
    opened_at: datetime | None = None

    def admit(self) -> int | None:
        """Answer the epoch of the permit; None: it rests, or its probes are under way."""
        self.look_at_the_clock()
        if self.word is BreakerWord.OPEN:
            return None
        if self.word is BreakerWord.HALF_OPEN:
            if self.probes >= self.limits.probes:
                return None
            self.probes += 1
        return self.epoch

    def succeeded(self, epoch: int) -> None:
        if epoch != self.epoch:
            return
        self.failures = 0
        if self.word is BreakerWord.HALF_OPEN:
            self.successes += 1
            if self.successes >= self.limits.successes:
                self._become(BreakerWord.CLOSED)

    def failed(self, epoch: int) -> None:
        if epoch != self.epoch:
            return
        self.failures += 1
        if self.word is BreakerWord.HALF_OPEN or self.failures >= self.limits.threshold:
            self._open()

    def returned(self, epoch: int) -> None:
        """Give the permit back: it ended without saying anything of the deployment's health."""
        if epoch == self.epoch and self.word is BreakerWord.HALF_OPEN:
            self.probes -= 1

    def look_at_the_clock(self) -> None:
        if self.word is BreakerWord.OPEN and self.now() >= self.rests_until:
            self._become(BreakerWord.HALF_OPEN)

    def rest_left_s(self) -> float | None:
        if self.word is not BreakerWord.OPEN:
            return None
        return max(self.rests_until - self.now(), 0.0)

    def _open(self) -> None:
        self.rests_until = self.now() + self.limits.rest_s
        self.opened_at = self.utcnow()
        failures = self.failures
        self._become(BreakerWord.OPEN)
        # Kept for the health page; the transition reset what the circuit counts with.
        self.failures = failures

    def _become(self, word: BreakerWord) -> None:
        self.word = word
        self.epoch += 1
        self.failures = self.probes = self.successes = 0
        if word is BreakerWord.CLOSED:
            self.opened_at = None
        self.changed(word)


@dataclass(slots=True)
class Breakers:
    """The board of all circuits in this process, and the step that asks it."""

    now: Now
    utcnow: UtcNow
    changed: Callable[[Deployment, str], None]
    limits: Limits = field(default_factory=Limits)
    _circuits: dict[int, Circuit] = field(default_factory=dict[int, Circuit])

    def snapshot(self) -> list[BreakerState]:
        """Every deployment that was asked since the start, by id."""
        return [_state(id, circuit) for id, circuit in sorted(self._circuits.items())]

    @asynccontextmanager
    async def open(self, attempt: Attempt, open_next: Open[Attempt]) -> AsyncGenerator[Stream]:
        circuit = self._circuit(attempt.deployment)
        epoch = circuit.admit()
        if epoch is None:
            raise CircuitOpen(
                f"{attempt.deployment.name} rests after repeated failures.",
                retry_after_s=circuit.rest_left_s(),
            )
        stream: Stream | None = None
        failure: UpstreamError | None = None
        try:
            async with open_next(attempt) as stream:
                yield stream
        except UpstreamError as error:
            failure = error
            raise
        finally:
            _report(circuit, epoch, stream, failure)

    def _circuit(self, deployment: Deployment) -> Circuit:
        circuit = self._circuits.get(deployment.id)
        if circuit is None:

            def changed(word: BreakerWord) -> None:
                self.changed(deployment, word)

            circuit = Circuit(self.limits, self.now, self.utcnow, changed)
            self._circuits[deployment.id] = circuit
        return circuit


def _report(
    circuit: Circuit, epoch: int, stream: Stream | None, failure: UpstreamError | None
) -> None:
    if stream is not None:
        # The record knows better than what rises here: a reader may have caught the failure.
        failure = stream.record.failure
        if stream.record.status is AttemptStatus.OK:
            circuit.succeeded(epoch)
            return
    if failure is not None and failure.trips_breaker:
        circuit.failed(epoch)
    else:
        circuit.returned(epoch)


def _state(id: int, circuit: Circuit) -> BreakerState:
    circuit.look_at_the_clock()
    return BreakerState(
        deployment_id=id,
        word=circuit.word,
        consecutive_failures=circuit.failures,
        opened_at=circuit.opened_at,
        retry_in_s=circuit.rest_left_s(),
    )
