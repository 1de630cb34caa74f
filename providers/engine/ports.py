"""What the engine needs from outside, and nothing of how it is made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeVar
from uuid import UUID

from providers.engine.call import Attempt, AttemptRecord, Call, Caller, Reply, Stream
from providers.engine.embedding import EmbeddingReply
from providers.engine.routes import Deployment

Carrier = TypeVar("Carrier", Call, Attempt)

Now = Callable[[], float]
"""Monotonic seconds, of the running loop's clock."""
UtcNow = Callable[[], datetime]
Sleep = Callable[[float], Awaitable[None]]
Random = Callable[[], float]
"""Uniform in 0..1."""


Open = Callable[[Carrier], AbstractAsyncContextManager[Stream]]
"""The rest of the chain."""


class StepOpen(Protocol[Carrier]):
    """The `open` of a step: one concern around the rest of the chain; it sees only `open_next`."""

    def __call__(
        self, carrier: Carrier, /, open_next: Open[Carrier]
    ) -> AbstractAsyncContextManager[Stream]: ...


class Adapter(Protocol):
    """One wire format: an attempt becomes a request upstream, its answer becomes events.

    `open` returns when the status line and headers are good; the events may still fail.
    `input_overhead` is what templates of this wire may add to the prompt, in tokens.
    """

    @property
    def kind(self) -> str: ...

    def input_overhead(self, call: Call) -> int: ...

    def open(self, attempt: Attempt, secret: str | None) -> AbstractAsyncContextManager[Reply]: ...

    async def check(self, deployment: Deployment, secret: str | None) -> int:
        """Ask for the list of models, which is free; answer how many. Raises UpstreamError."""
        ...


class EmbeddingAdapter(Protocol):
    """One wire format's way to turn texts into vectors.

    `most_inputs` is how many texts one request may hold there.
    """

    @property
    def kind(self) -> str: ...

    @property
    def most_inputs(self) -> int: ...

    async def embed(
        self,
        deployment: Deployment,
        inputs: Sequence[str],
        dimensions: int | None,
        secret: str | None,
    ) -> EmbeddingReply:
        """Send it once, within the deployment's total time. Raises EngineError."""
        ...


class Secrets(Protocol):
    async def secret_for(self, deployment: Deployment, caller: Caller) -> str | None:
        """Open the nearest credential (user, team, organisation); None: the provider needs none."""
        ...


@dataclass(frozen=True, slots=True)
class Intent:
    """The worst case of one attempt, before it is made.

    `worst_case_nano` None: a deployment of the route has no price. `ttl_s` is the time after
    which the hold is resolved by rule if nobody settled it.
    """

    request_id: UUID
    caller: Caller
    route: str
    worst_case_nano: int | None
    ttl_s: float


@dataclass(frozen=True, slots=True)
class Reservation:
    """A durable hold on every budget that applies; `held_nano` 0 where none does."""

    id: UUID
    intent: Intent
    held_nano: int


class Ledger(Protocol):
    async def reserve(self, intent: Intent) -> Reservation:
        """Hold the worst case on every scope at once, durably.

        Raises BudgetExceeded, Unpriced, LedgerUnavailable.
        """
        ...

    async def top_up(self, reservation: Reservation, extra_nano: int) -> Reservation:
        """Hold more for a further attempt. Raises as `reserve`; the old hold then stands."""
        ...

    async def settle(self, reservation: Reservation, attempts: Sequence[AttemptRecord]) -> None:
        """Book every attempt and free the hold. Twice is harmless.

        Raises nothing: what could not be written is kept, tried again, and expires by rule.
        """
        ...


class BreakerWord(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True)
class BreakerState:
    """`opened_at` None: it is closed. `retry_in_s` None: it admits; else the rest that remains."""

    deployment_id: int
    word: BreakerWord
    consecutive_failures: int
    opened_at: datetime | None
    retry_in_s: float | None


class Observer(Protocol):
    """Told of what happened, for metrics; must not raise and must not block."""

    def attempt_ended(self, call: Call, record: AttemptRecord) -> None: ...

    def call_ended(self, call: Call, error_code: str | None, duration_s: float) -> None: ...

    def breaker_changed(self, deployment: Deployment, state: str) -> None: ...
