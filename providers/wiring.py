"""Composition root: configuration, stores and adapters become one engine for each event loop."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar
from weakref import WeakKeyDictionary, WeakSet

import psycopg
from django.conf import settings
from django.db import DatabaseError, close_old_connections, connections
from django.utils import timezone
from opentelemetry import trace
from psycopg.conninfo import make_conninfo
from structlog import get_logger

from providers import vitals
from providers.answer_cache import purges
from providers.catalog import environment, snapshot
from providers.credentials import ring
from providers.credentials.opened import OpenedSecrets, read_sealed
from providers.credentials.uses import CredentialUses
from providers.engine.adapters.anthropic_messages import AnthropicMessagesAdapter
from providers.engine.adapters.demo import DemoAdapter
from providers.engine.adapters.demo.embeddings import DemoEmbeddings
from providers.engine.adapters.gemini import GeminiAdapter
from providers.engine.adapters.gemini.embeddings import GeminiEmbeddings
from providers.engine.adapters.ollama import OllamaAdapter
from providers.engine.adapters.ollama.embeddings import OllamaEmbeddings
from providers.engine.adapters.openai_chat import OpenAIChatAdapter
from providers.engine.adapters.openai_chat.embeddings import OpenAIEmbeddings
from providers.engine.adapters.openai_responses import OpenAIResponsesAdapter
from providers.engine.batches import Limits as BatchLimits
from providers.engine.errors import LedgerUnavailable
from providers.engine.pipeline import Engine
from providers.engine.policy import NONE as NO_POLICY
from providers.engine.policy import Policy
from providers.engine.ports import Adapter, BreakerChange, BreakerLimits, Observer
from providers.engine.request import Role
from providers.engine.routes import Deployment
from providers.engine.steps.cache import Limits as CacheLimits
from providers.engine.steps.caller_limits import Quota, Quotas
from providers.engine.steps.retry import RetryLimits
from providers.engine.steps.validation import Sizes, Validation
from providers.engine.upstream import Upstream
from providers.health.in_force import Caps
from providers.health.ladder import Ladder
from providers.health.live import Live, Numbers
from providers.health.score import Weights
from providers.health.watch import Watch
from providers.ledger import pool as ledger_pool
from providers.ledger.postgres import PostgresLedger
from providers.metrics import MeasuredLedger, Metrics
from providers.observers import CallLog, Observers
from providers.policies import snapshot as policies
from providers.state.answers import Answers
from providers.state.changes import Changes
from providers.state.idempotency import Replies
from providers.state.local_answers import LocalAnswers
from providers.state.open_calls import OpenCalls
from providers.state.own_loop import OwnLoop
from providers.state.postgres_answers import PostgresAnswers
from providers.state.redis_answers import RedisAnswers
from providers.state.sealed_answers import Sealer
from providers.state.shared import Shared, Sharing
from providers.tools import snapshot as tools
from providers.tools.snapshot import Means
from providers.tools.toolbox import Toolbox
from providers.tracing import Tracing, headers_here
from providers.virtual_keys import KeyVerifier
from providers.virtual_keys.rows import KeyRows, LastUsed, Pool
from providers.virtual_keys.secret import pepper

T = TypeVar("T")
BreakerChanged = Callable[[Deployment, BreakerChange], None]
log = get_logger(__name__)

_FLUSH_S = 30.0
_SHORTEST_FLUSH_S = 1.0
_LAST_CALLS_S = 5.0
_FOLLOW_S = 5.0
_CATALOG = frozenset(
    f"providers_{table}" for table in ("provider", "deployment", "price", "route", "routetarget")
)
_CREDENTIALS = frozenset({"providers_credential", "providers_provider"})
_POLICIES = frozenset({"providers_teampolicy"})
_LEVELS = frozenset({
    "providers_healthstate",
    "providers_leveloverride",
    "providers_breakerorder",
})
_PURGES = frozenset({"providers_cachepurge"})
_TOOLS = frozenset({"providers_tool", "providers_tool_teams", "providers_tool_users"})
_KEYS = frozenset({"providers_virtualkey", "providers_user", "providers_membership"})


@dataclass(slots=True, kw_only=True)
class Wired:
    """Everything that one loop owns. `catalog` is replaced whole when it changes."""

    engine: Engine
    adapters: dict[str, Adapter]
    upstream: Upstream
    ledger: PostgresLedger
    secrets: OpenedSecrets
    verifier: KeyVerifier
    last_used: LastUsed
    uses: CredentialUses
    hurry: asyncio.Event
    pool: Pool
    answers: Answers
    replies: Replies
    tools: Toolbox
    shared: Shared | None = None
    tracing: Tracing | None = None
    catalog: snapshot.Catalog = snapshot.EMPTY
    policies: Mapping[int, Policy] = field(default_factory=dict)
    open_calls: OpenCalls = field(default_factory=OpenCalls)
    changes: Changes = field(init=False)
    live: Live = field(init=False)
    watch: Watch = field(init=False)
    kept_up: list[asyncio.Task[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.live = Live(
            world=self,
            breakers=self.engine.breakers,
            numbers=numbers,
            in_thread=_in_thread,
            now=timezone.now,
            cache_is_away=self._redis_is_away,
        )
        self.watch = Watch(conninfo(), self.live.judge, lambda: numbers().every_s)
        self.live.hurry = self.watch.hurry
        self.engine.degradation.in_force = self.live.for_team
        breakers = self.engine.breakers
        breakers.changed = _both(breakers.changed, self.live.breaker_changed)

    async def start(self) -> None:
        self.changes = Changes(
            conninfo(),
            {
                _CATALOG: self.read_catalog,
                _CREDENTIALS: self.read_credentials,
                _POLICIES: self.read_policies,
                _LEVELS: self.live.read_levels,
                _KEYS: self.forget_keys,
                _PURGES: self.read_purges,
                _TOOLS: self.read_tools,
            },
        )
        if self.shared is not None:
            await self.shared.start()
        await self.read_catalog()
        await self.read_credentials()
        await self.read_policies()
        await self.live.read_levels()
        await self.read_purges()
        await self.read_tools()
        await self.changes.start()
        for work in (self._keep_flushing(), vitals.keep_measuring()):
            self.kept_up.append(asyncio.create_task(work))

    async def stop(self) -> None:
        """Settle and write what waits, then close every connection."""
        for task in self.kept_up:
            task.cancel()
        await self.watch.stop()
        await self.changes.stop()
        await self.replies.aclose()
        # The server has cancelled what was left; each still has to reach its settlement.
        if not await self.open_calls.ended(_LAST_CALLS_S):
            log.warning("calls_left_to_expiry")
        await self.engine.drain()
        await self.last_used.flush()
        await self.uses.flush()
        await self.live.drain()
        await self.abandon()

    async def abandon(self) -> None:
        """Close every connection; all there is to do when the start failed."""
        await self.ledger.aclose()
        await self.pool.close()
        await self.upstream.aclose()
        await self.answers.aclose()
        if self.shared is not None:
            await self.shared.stop()

    async def reconfigure(self) -> None:
        """Take the numbers of `settings.GAIWEB`; calls under way go on as they began."""
        engine = self.engine
        engine.validation = _validation()
        engine.filters.regions = settings.GAIWEB.pii_phone_regions
        engine.caller_limits.quotas = _quotas()
        engine.retry.limits = _retry_limits()
        engine.breakers.limits = _breaker_limits()
        engine.loop.most_steps = _most_steps()
        engine.cache.limits = _cache_limits()
        engine.batcher.limits = _batch_limits()
        cache = settings.GAIWEB.cache
        self.answers.bound(cache.local_bytes, cache.stale_ttl_s)
        self.secrets.environment = environment.secrets()
        if self.tracing is not None:
            self.tracing.providers = frozenset(settings.GAIWEB.traced_providers)
        await self.read_catalog()

    async def read_catalog(self) -> None:
        self.catalog = await asyncio.to_thread(closing, snapshot.read, environment.limits_of)

    async def read_credentials(self) -> None:
        self.secrets.publish(await asyncio.to_thread(closing, read_sealed))

    async def read_policies(self) -> None:
        self.policies = await asyncio.to_thread(closing, policies.read)

    def policy_of(self, team_id: int | None) -> Policy:
        return NO_POLICY if team_id is None else self.policies.get(team_id, NO_POLICY)

    def _redis_is_away(self) -> bool:
        return self.shared is not None and self.shared.sharing is Sharing.AWAY

    async def read_purges(self) -> None:
        found = await asyncio.to_thread(closing, purges.in_force)
        self.engine.cache.purges = found
        self.answers.forget(found)

    async def read_tools(self) -> None:
        self.tools.publish(await asyncio.to_thread(closing, tools.read))

    async def forget_keys(self) -> None:
        self.verifier.forget()

    async def _keep_flushing(self) -> None:
        while True:
            await asyncio.sleep(_SHORTEST_FLUSH_S)
            with suppress(TimeoutError):
                await asyncio.wait_for(self.hurry.wait(), _FLUSH_S)
            self.hurry.clear()
            await self.last_used.flush()
            await self.uses.flush()


_wired: WeakKeyDictionary[asyncio.AbstractEventLoop, Wired] = WeakKeyDictionary()
_wiring: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[Wired]] = WeakKeyDictionary()
_watching: WeakSet[asyncio.AbstractEventLoop] = WeakSet()
_own_loop = OwnLoop()


async def here() -> Wired:
    """Answer what the running loop uses, made on first use. Raises LedgerUnavailable."""
    loop = asyncio.get_running_loop()
    wired = _wired.get(loop)
    if wired is not None:
        return wired
    making = _wiring.get(loop)
    if making is None:
        making = _wiring[loop] = loop.create_task(_make(loop), name="wiring")
    return await asyncio.shield(making)


def all_here() -> list[Wired]:
    """List what the loops of this process use; for reading from any thread."""
    return list(_wired.values())


async def watch_here() -> None:
    """Judge health from this loop whenever no other process does. Raises LedgerUnavailable."""
    _watching.add(asyncio.get_running_loop())
    (await here()).watch.start()


def reconfigure() -> None:
    """Let every engine of this process follow the configuration; from a thread without a loop.

    Raises DatabaseError, TimeoutError: then they follow in part, and it is to be called again.
    """
    for loop, wired in list(_wired.items()):
        if not loop.is_closed():
            asyncio.run_coroutine_threadsafe(wired.reconfigure(), loop).result(_FOLLOW_S)


async def close() -> None:
    """Drain and close what the running loop used; nothing where it used nothing."""
    wired = _wired.pop(asyncio.get_running_loop(), None)
    if wired is not None:
        await wired.stop()


def run(work: Coroutine[Any, Any, T], timeout_s: float | None = None) -> T:
    """Run `work` in the loop of a process that has none of its own, such as a worker."""
    return _own_loop.run(work, timeout_s)


def stop_own_loop() -> None:
    _own_loop.stop(close())


def conninfo() -> str:
    """Name the database that Django uses, for connections of our own."""
    database = connections["default"].settings_dict
    names = {"HOST": "host", "PORT": "port", "NAME": "dbname", "USER": "user"}
    values = {ours: database[django] for django, ours in names.items() if database[django]}
    if database["PASSWORD"]:
        values["password"] = database["PASSWORD"]
    options = database.get("OPTIONS", {})
    values |= {name: value for name, value in options.items() if name.startswith("ssl")}
    return make_conninfo("", **values)


async def _make(loop: asyncio.AbstractEventLoop) -> Wired:
    config = settings.GAIWEB
    wired = await _assemble(loop)
    try:
        await wired.start()
        if settings.GAIWEB is not config:
            # It changed meanwhile, and whoever told of it did not know this one yet.
            await wired.reconfigure()
    except (psycopg.Error, DatabaseError, OSError) as fault:
        await wired.abandon()
        raise LedgerUnavailable("The database cannot be reached.", retry_after_s=5) from fault
    finally:
        _wiring.pop(loop, None)
    _wired[loop] = wired
    if loop in _watching:
        wired.watch.start()
    return wired


async def _assemble(loop: asyncio.AbstractEventLoop) -> Wired:
    tracing = _tracing()
    upstream = Upstream(local_headers=headers_here if tracing is not None else dict)
    adapters: dict[str, Adapter] = {
        adapter.kind: adapter
        for adapter in (
            DemoAdapter(asyncio.sleep),
            OpenAIChatAdapter(upstream),
            AnthropicMessagesAdapter(upstream),
            GeminiAdapter(upstream),
            OpenAIResponsesAdapter(upstream),
            OllamaAdapter(upstream),
        )
    }
    pool = await ledger_pool.connect(conninfo(), most=4)
    sealer = Sealer(_ring_key(), settings.GAIWEB.cache.compression_level)
    answers = _answers(pool, sealer)
    ledger = PostgresLedger(await ledger_pool.connect(conninfo()))
    shared = _shared(loop)
    hurry = asyncio.Event()
    uses = CredentialUses(pool, timezone.now, hurry.set)
    secrets = OpenedSecrets(
        ring=ring.load,
        environment=environment.secrets(),
        now=loop.time,
        utcnow=timezone.now,
        random=random.random,  # noqa: S311 - a share of the traffic, not a secret
        noted=uses.note,
    )
    engine = Engine(
        adapters=adapters,
        ledger=MeasuredLedger(ledger, loop.time),
        secrets=secrets,
        observer=_observers(tracing),
        now=loop.time,
        sleep=asyncio.sleep,
        random=random.random,  # noqa: S311 - jitter, not a secret
        utcnow=timezone.now,
        validation=_validation(),
        breaker_limits=_breaker_limits(),
        retry_limits=_retry_limits(),
        quotas=_quotas(),
        circuits=shared.circuits if shared else None,
        limiter=shared.limiter if shared else None,
        most_steps=_most_steps(),
        phone_regions=settings.GAIWEB.pii_phone_regions,
        embedding_adapters={
            adapter.kind: adapter
            for adapter in (
                DemoEmbeddings(asyncio.sleep),
                OpenAIEmbeddings(upstream),
                GeminiEmbeddings(upstream),
                OllamaEmbeddings(upstream),
            )
        },
        batch_limits=_batch_limits(),
        cache_tiers=answers.tiers,
        cache_secret=sealer.secret,
        cache_limits=_cache_limits(),
    )
    rows = KeyRows(pool)
    last_used = LastUsed(rows, time.time)
    verifier = KeyVerifier(
        find=rows.find, used=last_used.note, pepper=pepper(), now=loop.time, epoch=time.time
    )
    wired = Wired(
        engine=engine,
        adapters=adapters,
        upstream=upstream,
        ledger=ledger,
        secrets=secrets,
        verifier=verifier,
        last_used=last_used,
        uses=uses,
        hurry=hurry,
        pool=pool,
        answers=answers,
        replies=Replies(pool=pool, sealer=sealer, utcnow=timezone.now),
        shared=shared,
        tracing=tracing,
        tools=Toolbox(Means(upstream, pool)),
    )
    engine.filters.policies = engine.cache.policies = wired.policy_of
    return wired


def _answers(pool: Pool, sealer: Sealer) -> Answers:
    cache, url = settings.GAIWEB.cache, settings.GAIWEB.redis_url
    local = LocalAnswers(timezone.now, cache.local_bytes, cache.stale_ttl_s)
    far = RedisAnswers(url, sealer, cache.stale_ttl_s) if url else PostgresAnswers(pool, sealer)
    return Answers(local if cache.local else None, far if cache.shared else None)


def _ring_key() -> bytes:
    keys = ring.load()
    return keys.key(keys.current)


def _batch_limits() -> BatchLimits:
    batches = settings.GAIWEB.embeddings
    return BatchLimits(batches.batch_size, batches.wait_s, batches.in_flight)


def _cache_limits() -> CacheLimits:
    cache = settings.GAIWEB.cache
    return CacheLimits(ttl_s=cache.ttl_s, stale_ttl_s=cache.stale_ttl_s)


def _tracing() -> Tracing | None:
    """None where traces go nowhere: then no span is made at all."""
    if settings.GAIWEB.tracing.exporter_otlp_endpoint is None:
        return None
    return Tracing(
        trace.get_tracer("gaiweb"), timezone.now, frozenset(settings.GAIWEB.traced_providers)
    )


def _observers(tracing: Tracing | None) -> Observers:
    each: list[Observer] = [Metrics(), CallLog()]
    if tracing is not None:
        each.append(tracing)
    return Observers(tuple(each))


def _shared(loop: asyncio.AbstractEventLoop) -> Shared | None:
    url = settings.GAIWEB.redis_url
    if url is None:
        return None
    return Shared.over(url, loop.time, timezone.now, random.random)  # noqa: S311 - jitter


def _validation() -> Validation:
    features = settings.GAIWEB.features
    prompts = settings.GAIWEB.prompts
    return Validation(
        most=Sizes(
            messages=prompts.most_messages,
            message_characters=prompts.most_message_characters,
            characters=prompts.most_prompt_characters,
            message_tokens=prompts.most_message_tokens,
            tokens=prompts.most_prompt_tokens,
            attachment_bytes=prompts.most_attachment_bytes,
        ),
        roles=frozenset(map(Role, settings.GAIWEB.allowed_roles)),
        allows_tools=features.enable_tools,
        allows_streaming=features.enable_streaming,
    )


def _most_steps() -> int:
    features = settings.GAIWEB.features
    return int(features.max_steps_per_user) if features.enable_multi_step else 1


def _both(first: BreakerChanged, second: BreakerChanged) -> BreakerChanged:
    def tell(deployment: Deployment, change: BreakerChange) -> None:
        first(deployment, change)
        second(deployment, change)

    return tell


async def _in_thread(read: Any, *arguments: Any) -> Any:
    return await asyncio.to_thread(closing, read, *arguments)


def numbers() -> Numbers:
    """Give what health goes by, as it is configured now."""
    health, ladder = settings.GAIWEB.health, settings.GAIWEB.degradation
    return Numbers(
        ladder=Ladder(
            ladder.simplified_below,
            ladder.essential_below,
            ladder.emergency_below,
            ladder.margin,
            ladder.dwell_s,
        ),
        weights=Weights(
            few=health.few,
            error=health.weight_error,
            limit=health.weight_limit,
            repaired=health.weight_repaired,
            latency=health.weight_latency,
            open=health.weight_open,
            half_open=health.weight_half_open,
            saturation=health.weight_saturation,
            database=health.weight_database,
            cache=health.weight_cache,
        ),
        caps=Caps(
            simplified_tokens=ladder.simplified_tokens,
            essential_tokens=ladder.essential_tokens,
            fast_route=ladder.fast_route,
            retry_after_s=ladder.retry_after_s,
        ),
        every_s=health.every_s,
        window=timedelta(seconds=health.window_s),
        capacity=health.capacity,
        automatic=ladder.automatic,
    )


def _breaker_limits() -> BreakerLimits:
    calls = settings.GAIWEB.calls
    return BreakerLimits(
        threshold=calls.breaker_threshold,
        rest_s=calls.breaker_reset_s,
        probes=calls.breaker_probes,
        successes=calls.breaker_successes,
        longest_rest_s=calls.breaker_longest_rest_s,
        window_s=calls.breaker_window_s,
        volume=calls.breaker_volume,
        error_rate=calls.breaker_error_rate,
    )


def _retry_limits() -> RetryLimits:
    calls = settings.GAIWEB.calls
    return RetryLimits(
        first_wait_s=calls.backoff_base_s,
        longest_wait_s=calls.backoff_max_s,
        share=calls.retry_budget,
        least=calls.retry_budget_least,
    )


def _quotas() -> Quotas:
    callers = settings.GAIWEB.callers
    return Quotas(
        key=Quota(callers.key_rpm, callers.key_tpm, callers.key_parallel),
        user=Quota(callers.user_rpm, callers.user_tpm, callers.user_parallel),
        team=Quota(callers.team_rpm, callers.team_tpm, callers.team_parallel),
        playground=Quota(parallel=callers.playground_parallel),
    )


def closing(read: Any, *arguments: Any) -> Any:
    """Read through the ORM in a thread, and leave no connection behind."""
    close_old_connections()
    try:
        return read(*arguments)
    finally:
        connections.close_all()
