"""Let a failing deployment rest, then ask it a few times before it is trusted again."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from providers.engine.call import Attempt, AttemptStatus, Stream
from providers.engine.errors import CircuitOpen, UpstreamError
from providers.engine.ports import (
    BreakerChange,
    BreakerLimits,
    BreakerState,
    BreakerWord,
    CircuitKey,
    Circuits,
    Forced,
    Open,
    Outcome,
    Permit,
    Resting,
    UtcNow,
)
from providers.engine.routes import Deployment


@dataclass(slots=True)
class Breakers:
    """The step, and the board that operators read and overrule.

    A circuit belongs to a deployment and a credential: a team whose own key is broken does not
    close the deployment to others. `limits` may be replaced at any time.

    For the health page: `snapshot` shows every circuit with what it counted and what forces it;
    `force` takes the operators' overrides as data, whole, whenever they changed; `reset` closes
    and forgets, in the engine's loop. The others ask nobody and may be called from any thread.
    """

    circuits: Circuits
    utcnow: UtcNow
    changed: Callable[[Deployment, BreakerChange], None]
    limits: BreakerLimits = field(default_factory=BreakerLimits)
    _forced: Mapping[int, Forced] = field(default_factory=dict[int, Forced])
    _seen: dict[int, Deployment] = field(default_factory=dict[int, Deployment])

    def __post_init__(self) -> None:
        self.circuits.listen(self._tell)

    def force(self, forced: Mapping[int, Forced]) -> None:
        """Put these overrides, by deployment id, in place of all earlier ones.

        One whose `until` has passed is not in force any more, whether it is in `forced` or not.
        Underneath it the circuit goes on counting.
        """
        self._forced = dict(forced)

    def reset(self, deployment_id: int) -> None:
        """Close all circuits of the deployment and forget what they counted."""
        self.circuits.reset(deployment_id)

    def snapshot(self) -> list[BreakerState]:
        """Every circuit that was asked since the start, and every override; by deployment."""
        states = [self._overruled(state) for state in self.circuits.snapshot(self.limits)]
        known = {state.deployment_id for state in states}
        closed = [
            self._overruled(BreakerState(id, BreakerWord.CLOSED, 0, None, None))
            for id in self._forced
            if id not in known and self._force_on(id) is not None
        ]
        return sorted([*states, *closed], key=lambda state: state.deployment_id)

    @asynccontextmanager
    async def open(self, attempt: Attempt, open_next: Open[Attempt]) -> AsyncGenerator[Stream]:
        deployment = attempt.deployment
        key = CircuitKey(deployment.id, attempt.credential)
        self._seen[deployment.id] = deployment
        permit = await self._admit(deployment, key)
        stream: Stream | None = None
        failure: UpstreamError | None = None
        try:
            async with open_next(attempt) as stream:
                yield stream
        except UpstreamError as error:
            failure = error
            raise
        finally:
            if permit is not None:
                self.circuits.report(key, permit, _outcome(stream, failure), self.limits)

    async def _admit(self, deployment: Deployment, key: CircuitKey) -> Permit | None:
        """None: an operator lets it pass although it rests. Raises CircuitOpen."""
        forced = self._force_on(deployment.id)
        if forced is not None and forced.word is BreakerWord.OPEN:
            raise CircuitOpen(
                f"An operator has switched {deployment.name} off for now.",
                retry_after_s=self._left_s(forced),
            )
        admitted = await self.circuits.admit(key, self.limits)
        if not isinstance(admitted, Resting):
            return admitted
        if forced is not None:
            return None
        raise CircuitOpen(
            f"{deployment.name} rests after repeated failures.", retry_after_s=admitted.rest_s
        )

    def _force_on(self, deployment_id: int) -> Forced | None:
        forced = self._forced.get(deployment_id)
        if forced is None or (forced.until is not None and forced.until <= self.utcnow()):
            return None
        return forced

    def _overruled(self, state: BreakerState) -> BreakerState:
        forced = self._force_on(state.deployment_id)
        if forced is None:
            return state
        return replace(
            state,
            word=forced.word,
            counted_word=state.word,
            retry_in_s=self._left_s(forced) if forced.word is BreakerWord.OPEN else None,
            forced=forced,
        )

    def _left_s(self, forced: Forced) -> float | None:
        if forced.until is None:
            return None
        return (forced.until - self.utcnow()).total_seconds()

    def _tell(self, change: BreakerChange) -> None:
        deployment = self._seen.get(change.key.deployment_id)
        if deployment is not None:
            self.changed(deployment, change)


def _outcome(stream: Stream | None, failure: UpstreamError | None) -> Outcome:
    if stream is not None:
        # The record knows better than what rises here: a reader may have caught the failure.
        failure = stream.record.failure
        if stream.record.status is AttemptStatus.OK:
            return Outcome.OK
    tripped = failure is not None and failure.trips_breaker
    return Outcome.FAILED if tripped else Outcome.RETURNED
