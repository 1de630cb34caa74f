"""One prompt on its way: the call above fallback, an attempt below it, the stream that answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from providers.engine.events import Event, Notice
from providers.engine.request import CompletionRequest
from providers.engine.routes import Deployment, Route
from providers.engine.usage import Usage


class Source(StrEnum):
    PLAYGROUND = "playground"
    GATEWAY = "gateway"
    PROBE = "probe"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks and which team pays. `key_id` None: no virtual key, a person in the playground.

    A probe has neither user nor team; it is booked on the organisation alone. `routes` are the
    public names that the key allows; empty: every one.
    """

    source: Source
    user_id: int | None = None
    team_id: int | None = None
    key_id: int | None = None
    routes: frozenset[str] = frozenset()


class AttemptStatus(StrEnum):
    PENDING = "pending"
    OK = "ok"
    FAILED = "failed"
    CUT = "cut"
    CANCELLED = "cancelled"


@dataclass(slots=True)
class AttemptRecord:
    """What became of one try, filled in while it runs.

    `usage` None: nothing is known of it, and nothing was streamed. `input_bound` is the safe upper
    bound of the prompt in tokens. Durations in milliseconds; None: that moment never came.
    `may_be_billed`: the provider may charge for it although it failed.
    """

    number: int
    deployment: Deployment
    started_at: datetime
    input_bound: int
    status: AttemptStatus = AttemptStatus.PENDING
    error_code: str | None = None
    http_status: int | None = None
    upstream_request_id: str | None = None
    ttft_ms: int | None = None
    duration_ms: int | None = None
    usage: Usage | None = None
    may_be_billed: bool = False


@dataclass(slots=True)
class Call:
    """A request with its route, its payer and its journal.

    `deadline` is on the engine's monotonic clock, in seconds. `attempts` and `notices` grow while
    the call runs; every attempt that was made is in `attempts`, also those that failed.
    """

    request: CompletionRequest
    caller: Caller
    route: Route
    deadline: float
    attempts: list[AttemptRecord] = field(default_factory=list[AttemptRecord])
    notices: list[Notice] = field(default_factory=list[Notice])

    @property
    def id(self) -> UUID:
        return self.request.id


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of `call` at one deployment. `deadline` is its slice of the call's."""

    call: Call
    deployment: Deployment
    deadline: float


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer that has committed. Iterate `events` once; it ends with `Finish` or raises.

    `frames` carries the upstream's own bytes when the wire in and out is the same and nothing has
    to change; None otherwise.
    """

    deployment: Deployment
    events: AsyncIterator[Event]
    frames: AsyncIterator[bytes] | None = None
