"""What the engine needs from outside, and nothing of how it is made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol, TypeVar
from uuid import UUID

from providers.engine.call import Attempt, AttemptRecord, Call, Caller, Reply, Stream, Tier
from providers.engine.embedding import EmbeddingReply
from providers.engine.policy import FilterMode
from providers.engine.routes import Deployment
from providers.engine.tools import Ran

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


class Opener(Protocol):
    """An attempt becomes a request upstream, its answer becomes events.

    `open` returns when the status line and headers are good; the events may still fail.
    `input_overhead` is what templates of this wire may add to the prompt, in tokens.
    """

    @property
    def kind(self) -> str: ...

    def input_overhead(self, call: Call) -> int: ...

    def open(self, attempt: Attempt, secret: str | None) -> AbstractAsyncContextManager[Reply]: ...


class Adapter(Opener, Protocol):
    """One wire format, which can also be asked whether a key is good."""

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
    def pick(self, deployment: Deployment, caller: Caller) -> str:
        """Name a credential of the nearest holder (user, team, organisation), drawn by weight.

        One that was refused a while ago is named only where there is no other. Nothing is opened,
        and the name says nothing of the secret. Empty: the provider needs none.
        """
        ...

    async def open(self, deployment: Deployment, credential: str) -> str | None:
        """Open what `pick` named; None for the empty name. Raises CredentialRejected."""
        ...

    def report(self, credential: str, *, is_taken: bool) -> None:
        """Hear whether the provider took it; what it refused is put aside for a while."""
        ...


@dataclass(frozen=True, slots=True)
class Intent:
    """The worst case of one attempt, before it is made.

    `worst_case_nano` None: a deployment of the route has no price. `ttl_s` is the time after
    which the hold is resolved by rule if nobody settled it. `is_degraded`: it goes to a cheaper
    route because of a budget already, so that such budgets only count it.
    """

    request_id: UUID
    caller: Caller
    route: str
    worst_case_nano: int | None
    ttl_s: float
    is_degraded: bool = False


@dataclass(frozen=True, slots=True)
class Reservation:
    """A durable hold on every budget that applies; `held_nano` 0 where none does."""

    id: UUID
    intent: Intent
    held_nano: int


@dataclass(frozen=True, slots=True)
class Downgrade:
    """Nothing is held: a budget wants the cheaper `route` to answer. `because` is half a sentence.

    `budget` is its name in words; `resets_at` None: it never resets by itself.
    """

    budget: str
    route: str
    because: str
    resets_at: datetime | None = None


class Ledger(Protocol):
    async def reserve(self, intent: Intent) -> Reservation | Downgrade:
        """Hold the worst case on every scope at once, durably.

        No Downgrade for an intent that is degraded. Cancelled, it gives back what it holds or is
        about to hold.
        Raises BudgetExceeded, Unpriced, LedgerUnavailable.
        """
        ...

    async def top_up(self, reservation: Reservation, extra_nano: int) -> Reservation:
        """Hold more for a further attempt. Raises as `reserve`; the old hold then stands."""
        ...

    async def settle(self, reservation: Reservation, attempts: Sequence[AttemptRecord]) -> None:
        """Book every attempt and free the hold. Twice is harmless.

        It is taken over before the first wait: who stops waiting does not stop it.
        Raises nothing: what could not be written is kept, tried again, and expires by rule.
        """
        ...

    def note_hit(self, call: Call, record: AttemptRecord) -> None:
        """Book an answer of the cache soon: it costs nothing and has saved `call.hit.saved_nano`.

        `record` tells who gave it once, and its usage.
        """
        ...


@dataclass(frozen=True, slots=True)
class AnswerKey:
    """Where an answer is kept. `digest` tells nothing of the prompt to who has no key for it."""

    digest: bytes
    team_id: int
    route: str


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    value: bytes
    kept_at: datetime


@dataclass(frozen=True, slots=True)
class Purge:
    """What was kept until `at` counts no more. `team_id`, `route` None: of all of them."""

    at: datetime
    team_id: int | None = None
    route: str | None = None

    def covers(self, key: AnswerKey, kept: KeptAnswer) -> bool:
        return (
            kept.kept_at <= self.at
            and self.team_id in {None, key.team_id}
            and self.route in {None, key.route}
        )


class AnswerStore(Protocol):
    """One tier of the cache. Raises nothing: what cannot be read is a miss."""

    @property
    def tier(self) -> Tier: ...

    async def get(self, key: AnswerKey) -> KeptAnswer | None: ...

    async def put(self, key: AnswerKey, kept: KeptAnswer) -> None: ...


class BreakerWord(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True)
class BreakerLimits:
    """When a circuit opens and closes.

    It opens on `threshold` failures in a row, or when at least `error_rate` (0..1) of `volume` or
    more results of the last `window_s` failed. Each further rest is twice as long, at most
    `longest_rest_s`. Half-open admits `probes` calls each `probe_s`.
    """

    threshold: int = 5
    rest_s: float = 30.0
    probes: int = 5
    successes: int = 3
    longest_rest_s: float = 600.0
    window_s: float = 60.0
    volume: int = 20
    error_rate: float = 0.5
    probe_s: float = 60.0


class CircuitKey(NamedTuple):
    """`credential` is the identity of a secret, never the secret; empty: there is none."""

    deployment_id: int
    credential: str


class Outcome(StrEnum):
    """`RETURNED`: it ended without saying anything of the deployment's health."""

    OK = "ok"
    FAILED = "failed"
    RETURNED = "returned"


@dataclass(frozen=True, slots=True)
class Permit:
    """`epoch` counts a circuit's transitions: a result of an earlier one is ignored."""

    epoch: int
    is_shared: bool = False


@dataclass(frozen=True, slots=True)
class Resting:
    """`rest_s` None: it is half-open, and all its probes are under way."""

    rest_s: float | None


@dataclass(frozen=True, slots=True)
class BreakerChange:
    """A transition. `reason` in words: what it was decided by.

    `made_here`: by this process; with shared state every process hears of every transition, and
    exactly one of them made it.
    """

    key: CircuitKey
    before: BreakerWord
    after: BreakerWord
    reason: str
    rest_s: float | None = None
    made_here: bool = True


@dataclass(frozen=True, slots=True)
class Forced:
    """An operator's word on a deployment's breaker: `OPEN` or `CLOSED`. `until` None: for good."""

    word: BreakerWord
    reason: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class BreakerState:
    """What one circuit shows. `opened_at` None: it is closed.

    `retry_in_s` None: it admits, or an operator holds it; else the rest that remains. The counters
    are those of the closed circuit, or those that opened it: `failed` of `total` results within
    the window. `reason` in words: why it is open or half-open. With `forced` it is `word` that
    holds, and `counted_word` that would hold without.
    """

    deployment_id: int
    word: BreakerWord
    consecutive_failures: int
    opened_at: datetime | None
    retry_in_s: float | None
    credential: str = ""
    failed: int = 0
    total: int = 0
    reason: str = ""
    forced: Forced | None = None
    counted_word: BreakerWord | None = None
    probes: int = 0
    successes: int = 0


Changed = Callable[[BreakerChange], None]


class Circuits(Protocol):
    """Where the state of breakers lives: in this process, or shared by several."""

    def listen(self, changed: Changed) -> None:
        """Have transitions told, each when it is complete."""
        ...

    async def admit(self, key: CircuitKey, limits: BreakerLimits) -> Permit | Resting: ...

    def report(
        self, key: CircuitKey, permit: Permit, outcome: Outcome, limits: BreakerLimits
    ) -> None:
        """Note a result; what has to be written elsewhere is written behind."""
        ...

    def reset(self, deployment_id: int) -> None:
        """Close every circuit of the deployment and forget what was counted."""
        ...

    def snapshot(self, limits: BreakerLimits) -> list[BreakerState]:
        """Show all circuits known here; changes nothing, so any thread may ask."""
        ...


@dataclass(frozen=True, slots=True)
class Draw:
    """`amount` out of the bucket `key`, which fills by `rate` a second up to `burst`."""

    key: str
    amount: float
    rate: float
    burst: float


@dataclass(frozen=True, slots=True)
class Lease:
    """One of `most` places under `key`; `holder` has it until released, at most `ttl_s`."""

    key: str
    holder: str
    most: int
    ttl_s: float


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a wish. `short` is what there was too little of: then nothing was taken.

    `wait_s`: begin after so many seconds, or ask again after them where `short` says so; None:
    nobody knows, as with a place. `levels` is what is left in each bucket, below zero where others
    wait.
    """

    wait_s: float | None
    levels: tuple[float, ...]
    short: Draw | Lease | None = None


class Limiter(Protocol):
    """Token buckets and places, in this process or shared by several."""

    async def take(
        self, draws: Sequence[Draw], leases: Sequence[Lease] = (), longest_wait_s: float = 0.0
    ) -> Taken:
        """Take all of them at once, or none."""
        ...

    def put(self, draws: Sequence[Draw]) -> None:
        """Give amounts back; a negative one takes more, also beyond what is there."""
        ...

    def release(self, leases: Sequence[Lease]) -> None:
        """Give places back; one that has expired is none of ours any more."""
        ...


class Observer(Protocol):
    """Told of what happened, for metrics and history; must not raise and must not block."""

    def attempt_ended(self, call: Call, record: AttemptRecord) -> None: ...

    def call_ended(self, call: Call, error_code: str | None, duration_s: float) -> None: ...

    def tool_ended(self, call: Call, ran: Ran) -> None: ...

    def breaker_changed(self, deployment: Deployment, change: BreakerChange) -> None: ...

    def filter_found(self, kind: str, place: str, action: FilterMode, count: int) -> None:
        """Hear of finds of a detector's kind or a team's pattern, never of the text.

        `place` is `input`, `output` or `tools`.
        """
        ...

    def retry_denied(self, deployment: Deployment) -> None:
        """Hear of a retry that was not made because its deployment had too many lately."""

    def cache_asked(self, call: Call, found: Tier | None) -> None:
        """None: a miss. Of calls whose answer may be cached alone."""
        ...

    def batch_sent(self, deployment: Deployment, texts: int) -> None:
        """Hear of a request for vectors with so many texts."""
        ...

    def answer_kept(self, size: int) -> None:
        """Bytes, as they lie in this process."""
        ...
