"""READ FIRST: the ordered steps of a prompt.

    validation       refuse what nobody could answer
    filters          find what must not leave: flag, redact or block, by the team's policy
    caller_limits    how much a key, a person and a team may ask
    degradation      ask for less, or for nothing, while the installation does badly
    cache            an exact hit of the same team is answered here and costs nothing
    hang_up          read an answer to its end whose caller has gone, where the team wants that
    budget           hold the worst case, durably; book what it really was
    fallback         a call becomes attempts: the deployments that can take it, in order
    structured       ask for JSON in another way where a model has no schemas of its own
    retry            the same deployment again, where that may help
    budget (top up)  hold more when an earlier attempt may have to be paid as well
    credential       whose key it goes out with; another one where that is refused
    breaker          let a failing deployment rest
    rate_limit       stay under a deployment's own limits
    dispatch         secret, adapter, the commit at the first content event, the journal

Between the caller's limits and degradation stands the tool loop (loop.py): an answer of several
steps passes what is below it once for each of them.

Each step opens an async context manager that sees only the rest of the chain. It acts while the
answer opens and when it is left, never around the reading of it. One that has nothing to do for a
call answers with the rest itself, so that it costs one look.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType

from providers.engine.batched import BatchedEmbeddings, as_prompt
from providers.engine.batches import Batcher
from providers.engine.batches import Limits as BatchLimits
from providers.engine.buckets import LocalLimiter
from providers.engine.call import (
    Answer,
    Attempt,
    AttemptRecord,
    AttemptStatus,
    Call,
    Caller,
    Embedding,
    Stream,
    input_bytes,
)
from providers.engine.circuits import LocalCircuits
from providers.engine.embedding import EmbeddingRequest
from providers.engine.errors import Cancelled, EngineError
from providers.engine.events import Embedded, Event, Start
from providers.engine.loop import Loop
from providers.engine.policy import NONE as NO_POLICY
from providers.engine.policy import Policies
from providers.engine.ports import (
    Adapter,
    AnswerStore,
    BreakerLimits,
    Carrier,
    Circuits,
    EmbeddingAdapter,
    Ledger,
    Limiter,
    Now,
    Observer,
    Open,
    Random,
    Secrets,
    Sleep,
    StepOpen,
    UtcNow,
)
from providers.engine.preceded import Preceded
from providers.engine.quotas import Quotas
from providers.engine.request import CompletionRequest
from providers.engine.routes import Deployment, Route
from providers.engine.steps.breaker import Breakers
from providers.engine.steps.budget import Budget
from providers.engine.steps.cache import Cache
from providers.engine.steps.cache import Limits as CacheLimits
from providers.engine.steps.caller_limits import CallerLimits
from providers.engine.steps.credential import CredentialChoice
from providers.engine.steps.degradation import Degradation
from providers.engine.steps.dispatch import Dispatch
from providers.engine.steps.fallback import Fallback
from providers.engine.steps.filters import Filters
from providers.engine.steps.hang_up import HangUp
from providers.engine.steps.rate_limit import RateLimit
from providers.engine.steps.retry import Retry, RetryLimits
from providers.engine.steps.structured import Structured
from providers.engine.steps.validation import Validation
from providers.engine.tools import HostedTool, Runner

_NO_TOOLS: Mapping[str, HostedTool] = MappingProxyType({})


@dataclass(kw_only=True)
class Engine:
    """The one way to a provider. Make one for each running loop.

    `open_timeout_s` is what opening an answer may take in all, retries and fallbacks included;
    each deployment of a route gets its slice. `hold_ttl_s` must outlast the longest answer.
    `circuits` and `limiter` None: breakers and limits are this process's own. `validation`, and
    what `breakers`, `retry`, `caller_limits`, `filters`, `degradation`, `loop`, `cache`, `budget`
    and `batcher` go by, may be replaced while it runs. `most_steps`: of one answer, whatever its
    request asks.
    `cache_tiers`, nearest first; none: nothing is kept. `cache_secret` keys the digests of prompts.
    `policies` is asked for each prompt's team; telephone numbers without a country code are taken
    to be from `phone_regions`.
    """

    adapters: Mapping[str, Adapter]
    ledger: Ledger
    secrets: Secrets
    observer: Observer
    now: Now
    sleep: Sleep
    random: Random
    utcnow: UtcNow
    open_timeout_s: float = 180.0
    hold_ttl_s: float = 900.0
    validation: Validation = field(default_factory=Validation)
    quotas: Quotas = field(default_factory=Quotas)
    breaker_limits: BreakerLimits = field(default_factory=BreakerLimits)
    retry_limits: RetryLimits = field(default_factory=RetryLimits)
    circuits: Circuits | None = None
    limiter: Limiter | None = None
    most_steps: int = 20
    cache_tiers: Sequence[AnswerStore] = ()
    cache_secret: bytes = b""
    cache_limits: CacheLimits = field(default_factory=CacheLimits)
    policies: Policies = lambda _: NO_POLICY
    phone_regions: tuple[str, ...] = ("US",)
    embedding_adapters: Mapping[str, EmbeddingAdapter] = field(
        default_factory=dict[str, EmbeddingAdapter]
    )
    batch_limits: BatchLimits = field(default_factory=BatchLimits)
    breakers: Breakers = field(init=False)
    retry: Retry = field(init=False)
    caller_limits: CallerLimits = field(init=False)
    filters: Filters = field(init=False)
    degradation: Degradation = field(init=False)
    loop: Loop = field(init=False)
    cache: Cache = field(init=False)
    budget: Budget = field(init=False)
    batcher: Batcher = field(init=False)
    hang_up: HangUp = field(init=False)

    def __post_init__(self) -> None:
        limiter = self.limiter or LocalLimiter(self.now)
        self.caller_limits = CallerLimits(limiter, self.utcnow, self.quotas, self.hold_ttl_s)
        self.retry = Retry(
            self.now, self.sleep, self.random, self.observer.retry_denied, self.retry_limits
        )
        self.breakers = Breakers(
            circuits=self.circuits or LocalCircuits(self.now, self.utcnow, self.random),
            utcnow=self.utcnow,
            changed=self.observer.breaker_changed,
            limits=self.breaker_limits,
        )
        self.degradation = Degradation(self.utcnow)
        self.cache = Cache(
            ledger=self.ledger,
            observer=self.observer,
            now=self.now,
            utcnow=self.utcnow,
            tiers=self.cache_tiers,
            secret=self.cache_secret,
            policies=self.policies,
            limits=self.cache_limits,
        )
        self.budget = Budget(self.ledger, self.input_bound, self.hold_ttl_s)
        dispatch = Dispatch(
            adapters=self.adapters,
            secrets=self.secrets,
            now=self.now,
            utcnow=self.utcnow,
            input_bound=self.input_bound,
            ended=self.observer.attempt_ended,
        )
        self.batcher = Batcher(self.sleep, self.observer.batch_sent, self.batch_limits)
        attempt_steps: list[StepOpen[Attempt]] = [
            Structured().open,
            self.retry.open,
            self.budget.open_attempt,
            CredentialChoice(self.secrets).open,
            self.breakers.open,
            RateLimit(limiter, self.now, self.sleep).open,
        ]
        self.loop = Loop(
            now=self.now,
            worst_case=self.budget.worst_case,
            runner=Runner(self.now),
            tool_ended=self.observer.tool_ended,
            most_steps=self.most_steps,
        )
        self.filters = Filters(self.policies, self.observer.filter_found, self.phone_regions)
        self.hang_up = HangUp(self.policies)
        call_steps: list[StepOpen[Call]] = [
            self._validate,
            self.filters.open,
            self.caller_limits.open,
            self.loop.open,
            self.degradation.open,
            self.cache.open,
            self.hang_up.open,
            self.budget.open,
        ]
        open_attempt = chained(attempt_steps, dispatch.open)
        open_route = partial(Fallback(self.now, self.random).open, open_next=open_attempt)
        self._open_call = chained(call_steps, open_route)
        self._open_embedding = self._way_of_texts(attempt_steps[1:], dispatch)

    def _way_of_texts(
        self, attempt_steps: Sequence[StepOpen[Attempt]], last: Dispatch
    ) -> Open[Call]:
        """Compose the same steps for texts that become vectors, where no answer is written."""
        adapters = {
            kind: BatchedEmbeddings(kind, self.embedding_adapters.get(kind), self.batcher)
            for kind in self.adapters
        }
        open_attempt = chained(attempt_steps, replace(last, adapters=adapters).open)
        open_route = partial(Fallback(self.now, self.random).open, open_next=open_attempt)
        steps: list[StepOpen[Call]] = [
            self.filters.open,
            self.caller_limits.open,
            self.degradation.open_texts,
            self.budget.open_texts,
        ]
        return chained(steps, open_route)

    @asynccontextmanager
    async def open(
        self,
        request: CompletionRequest,
        caller: Caller,
        route: Route,
        tools: Mapping[str, HostedTool] = _NO_TOOLS,
    ) -> AsyncGenerator[Answer]:
        """Open an answer that has committed; leaving it settles, early or not.

        `tools`, by name, are those that `request.hosted_tools` may choose from.
        Raises EngineError.
        """
        began = self.now()
        call = Call(request, caller, route, began + self.open_timeout_s, hosted=tools)
        failure: BaseException | None = None
        try:
            async with self._open_call(call) as stream:
                start = Start(stream.deployment.name, stream.record.number)
                first: tuple[Event, ...] = (start, *call.notices)
                events = Preceded(first, stream.events)
                yield Answer(call, stream.deployment, events, stream.frames)
        except BaseException as error:
            failure = error
            raise
        finally:
            self.observer.call_ended(call, _error_code(call, failure), self.now() - began)

    async def embed(self, request: EmbeddingRequest, caller: Caller, route: Route) -> Embedding:
        """Turn texts into vectors, together with whoever else asks at this moment; settled.

        Raises EngineError.
        """
        began = self.now()
        deadline = began + self.open_timeout_s
        call = Call(as_prompt(request), caller, route, deadline, dimensions=request.dimensions)
        failure: BaseException | None = None
        try:
            async with self._open_embedding(call) as stream:
                found = [each async for each in stream.events if isinstance(each, Embedded)]
            return Embedding(call, stream.deployment, found[0].vectors)
        except BaseException as error:
            failure = error
            raise
        finally:
            self.observer.call_ended(call, _error_code(call, failure), self.now() - began)

    def _validate(self, call: Call, open_next: Open[Call]) -> AbstractAsyncContextManager[Stream]:
        # Looked up for each call: it may have been replaced.
        return self.validation.open(call, open_next)

    def input_bound(self, call: Call, deployment: Deployment) -> int:
        return input_bytes(call.request) + self.adapters[deployment.kind].input_overhead(call)

    def worst_case(self, request: CompletionRequest, caller: Caller, route: Route) -> int | None:
        """Nano-dollars that one answer may cost at most; None: a deployment has no price.

        Raises InvalidRequest for what nobody could answer.
        """
        self.validation.check(request, route)
        return self.budget.worst_case(Call(request, caller, route, deadline=0.0))

    async def drain(self) -> None:
        """Wait for what outlives its caller, before the ledger is closed."""
        await self.batcher.drain()
        await self.budget.drain()
        await self.cache.drain()


def chained(steps: Sequence[StepOpen[Carrier]], last: Open[Carrier]) -> Open[Carrier]:
    """Put each step around the rest, the first of them outermost."""
    for step in reversed(steps):
        last = partial(step, open_next=last)
    return last


def _error_code(call: Call, failure: BaseException | None) -> str | None:
    """How the call ended; the journal knows also what a reader has caught."""
    if isinstance(failure, EngineError):
        return failure.code
    last: AttemptRecord | None = call.attempts[-1] if call.attempts else None
    if last is not None:
        return None if last.status is AttemptStatus.OK else last.error_code
    if failure is None:
        return None
    return EngineError.code if isinstance(failure, Exception) else Cancelled.code
