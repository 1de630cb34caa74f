"""One prompt on its way: the call above fallback, an attempt below it, the stream that answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from providers.engine.embedding import Vector
from providers.engine.errors import Remaining, UpstreamError
from providers.engine.events import Event, Notice
from providers.engine.levels import Level
from providers.engine.request import (
    Audio,
    CompletionRequest,
    File,
    Image,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
from providers.engine.routes import Deployment, Route
from providers.engine.tools.hosted import HostedTool
from providers.engine.usage import Usage, total


class Source(StrEnum):
    PLAYGROUND = "playground"
    GATEWAY = "gateway"
    BATCH = "batch"
    PROBE = "probe"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks and which team pays. `key_id` None: no virtual key, a person in the playground.

    A probe has neither user nor team; it is booked on the organisation alone. `routes` are the
    public names that the key allows; empty: every one. `tag` is the caller's word for what it is
    for, by which spending can be told apart; empty: none.
    """

    source: Source
    user_id: int | None = None
    team_id: int | None = None
    key_id: int | None = None
    routes: frozenset[str] = frozenset()
    tag: str = ""


class StructuredBy(StrEnum):
    """How a model was asked for JSON by a schema."""

    NATIVE = "native"
    TOOL = "tool"
    PROMPT = "prompt"


class AttemptStatus(StrEnum):
    """`DRAINED`: the caller had gone, and the answer was read to its end all the same."""

    PENDING = "pending"
    OK = "ok"
    FAILED = "failed"
    CUT = "cut"
    CANCELLED = "cancelled"
    DRAINED = "drained"


@dataclass(slots=True)
class AttemptRecord:
    """What became of one try, filled in while it runs.

    `usage` None: nothing is known of it, and nothing was streamed. `input_bound` is the safe upper
    bound of the prompt in tokens. Durations in milliseconds; None: that moment never came.
    `may_be_billed`: the provider may charge for it although it failed. `failure` None: it did not
    fail, or not for a reason of the deployment's.
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
    failure: UpstreamError | None = None
    structured_by: StructuredBy = StructuredBy.NATIVE
    share_nano: int | None = None
    _priced: tuple[Usage, int | None] | None = None

    @property
    def cost_nano(self) -> int | None:
        """Nano-dollars; 0 where nothing was used, None where the deployment has no price.

        `share_nano` is its part of a request that several shared, so that the parts make the whole.
        """
        if self.usage is None:
            return 0
        if self.share_nano is not None:
            return self.share_nano
        # Asked for several times a call, and decimals are slow.
        if self._priced is None or self._priced[0] is not self.usage:
            price = self.deployment.price
            self._priced = (self.usage, None if price is None else price.cost_nano(self.usage))
        return self._priced[1]


class Tier(StrEnum):
    """Where a cached answer lay: in this process, or where every process finds it."""

    LOCAL = "local"
    SHARED = "shared"


@dataclass(frozen=True, slots=True)
class Hit:
    """A cached answer instead of an attempt. `deployment` gave it, `age_s` ago, with `usage`.

    `saved_nano` is what it would cost again; None: it has no price.
    """

    deployment: Deployment
    tier: Tier
    age_s: float
    usage: Usage
    saved_nano: int | None


@dataclass(slots=True)
class Call:
    """A request with its route, its payer and its journal.

    `deadline` is on the engine's monotonic clock, in seconds. `attempts` and `notices` grow while
    the call runs; every attempt that was made is in `attempts`, also those that failed.
    `preferred` is the deployment that was to answer, chosen when the call reached the fallback;
    `remaining` what the caller's limits leave, empty where there are none. `hosted` are the tools,
    by name, that the request may choose from. `steps` are the calls of a run of several, each with
    a reservation of its own; their attempts are in `attempts` too. Empty: it is its own only step.
    `is_cache_only`: nothing may go upstream; a cached answer, also an old one, or `NotCached`.
    `dimensions` is how long vectors are to be, where those are asked for; None: as the model does.
    `hit` not None: it was answered from the cache, and costs nothing.
    `screen` changes what a tool that runs here gives to the model; None: it stays as it is.
    `level` is what was in force when it passed. `cheaper_route` is the name of the one that answers
    because of a budget; empty: its own.
    """

    request: CompletionRequest
    caller: Caller
    route: Route
    deadline: float
    attempts: list[AttemptRecord] = field(default_factory=list[AttemptRecord])
    notices: list[Notice] = field(default_factory=list[Notice])
    preferred: Deployment | None = None
    remaining: tuple[Remaining, ...] = ()
    hosted: Mapping[str, HostedTool] = field(default_factory=dict[str, HostedTool])
    steps: list[Call] = field(default_factory=list["Call"])
    is_cache_only: bool = False
    dimensions: int | None = None
    hit: Hit | None = None
    screen: Callable[[ToolResult], ToolResult] | None = None
    level: Level = Level.FULL
    cheaper_route: str = ""

    @property
    def id(self) -> UUID:
        return self.request.id

    @property
    def worst_level(self) -> Level:
        """Of all steps, where there are several."""
        return max([self.level, *(step.level for step in self.steps)], key=lambda one: one.rank)

    def is_fallback(self, deployment: Deployment) -> bool:
        """Tell whether another deployment was to answer."""
        preferred = self.preferred or self.route.deployments[0]
        return deployment.id != preferred.id

    @property
    def usage(self) -> Usage | None:
        """Of the attempt that answered, or of the last that used anything; None: none did.

        Of all steps together where there are several. A cached answer has the usage that it had
        when it was made.
        """
        if self.steps:
            return total(step.usage for step in self.steps)
        if self.hit is not None:
            return self.hit.usage
        for record in reversed(self.attempts):
            if record.usage is not None:
                return record.usage
        return None

    @property
    def cost_nano(self) -> int | None:
        """Nano-dollars of all attempts together; None: some of it is unknown."""
        costs = [record.cost_nano for record in self.attempts]
        known = [cost for cost in costs if cost is not None]
        return sum(known) if len(known) == len(costs) else None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of `call` at one deployment. `deadline` is its slice of the call's.

    `credential` names what it goes out with; empty: nothing is needed, or not chosen yet.
    """

    call: Call
    deployment: Deployment
    deadline: float
    credential: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What an adapter understands of one answer; `events` ends with `Finish` or raises.

    It may report usage as often as it learns more, the last counts: an answer that ends early is
    charged by it, and readers are told once. `frames` carries the upstream's own bytes when the
    wire in and out is the same and nothing has to change; None otherwise.
    """

    events: AsyncGenerator[Event, None]
    http_status: int | None = None
    upstream_request_id: str | None = None
    frames: AsyncIterator[bytes] | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer that has committed. Iterate `events` once; it ends with `Finish` or raises.

    `record` is its attempt's, and tells how it ended once the stream is left.
    """

    deployment: Deployment
    record: AttemptRecord
    events: AsyncGenerator[Event, None]
    frames: AsyncIterator[bytes] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """An open answer. Iterate `events` once; it ends with `Finish` or raises `EngineError`.

    `call` is final, with its cost, once the answer's context has been left.
    """

    call: Call
    deployment: Deployment
    events: AsyncIterator[Event]
    frames: AsyncIterator[bytes] | None = None

    @property
    def hit(self) -> Hit | None:
        """Not None: all of this answer is from the cache, where it has an age and a tier."""
        if not self.call.steps:
            return self.call.hit
        hits = [step.hit for step in self.call.steps]
        return hits[-1] if all(hits) else None

    @property
    def is_fallback(self) -> bool:
        return self.call.is_fallback(self.deployment)


MOST_STEPS = 1_000
"""No run is longer, whatever is configured."""


def step_id(run_id: UUID, number: int) -> UUID:
    """Name the reservation of a run's step, from 1: the run's own id, then the ones after it.

    The last bits of an id are random, so that the ids of two runs do not meet; whoever knows the
    run's finds all of them, up to MOST_STEPS.
    """
    return UUID(int=(run_id.int + number - 1) % 2**128)


# Room for the words in which a model without schemas of its own is told of one.
_WORDS_ABOUT_SCHEMA = 300


@dataclass(frozen=True, slots=True)
class Embedding:
    """Vectors in the order of the texts; its call is settled."""

    call: Call
    deployment: Deployment
    vectors: tuple[Vector, ...]


def output_bound(request: CompletionRequest, deployment: Deployment) -> int:
    """Tokens that one choice may have at most: the smaller of what is asked and allowed."""
    asked = request.max_output_tokens
    most = deployment.max_output_tokens
    return most if asked is None else min(asked, most)


def input_bytes(request: CompletionRequest) -> int:
    """Bytes that the prompt may have at most; a byte-level tokenizer makes no more tokens.

    JSON never shortens a text, so that a raw body's size bounds all of its fields, known or not.
    """
    options = len(str(request.provider_options).encode()) if request.provider_options else 0
    if request.raw is not None:
        return request.raw.size + options
    tools = options + sum(
        len(tool.name.encode())
        + len(tool.description.encode())
        + len(str(tool.parameters).encode())
        for tool in request.tools
    )
    schema = request.response_schema.schema if request.response_schema is not None else None
    if schema is not None:
        tools += len(str(schema).encode()) + _WORDS_ABOUT_SCHEMA
    return tools + sum(_part_bytes(part) for message in request.messages for part in message.parts)


def _part_bytes(part: Part) -> int:
    match part:
        case Text(text) | Refusal(text):
            return len(text.encode())
        case Reasoning(text, signature):
            return len(text.encode()) + len((signature or "").encode())
        case Image(url) | Audio(url) | File(url):
            return len(url.encode())
        case ToolCall(id, name, arguments):
            return len(id.encode()) + len(name.encode()) + len(arguments.encode())
        case ToolResult(call_id, content):
            return len(call_id.encode()) + len(content.encode())
