"""Everything that one event loop owns: started, kept up to date with the rows, and stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone
from structlog import get_logger

from providers import vitals
from providers.answer_cache import purges
from providers.catalog import environment, snapshot
from providers.credentials.opened import OpenedSecrets, read_sealed
from providers.credentials.uses import CredentialUses
from providers.engine.pipeline import Engine
from providers.engine.policy import NONE as NO_POLICY
from providers.engine.policy import Policy
from providers.engine.ports import Adapter, BreakerChange
from providers.engine.routes import Deployment, Route
from providers.engine.upstream import Upstream
from providers.health.live import Live
from providers.health.watch import Watch
from providers.ledger.postgres import PostgresLedger
from providers.policies import snapshot as policies
from providers.quotas import snapshot as quotas
from providers.state.answers import Answers
from providers.state.changes import Changes
from providers.state.idempotency import Replies
from providers.state.open_calls import OpenCalls
from providers.state.shared import Shared, Sharing
from providers.tools import snapshot as tools
from providers.tools.toolbox import Toolbox
from providers.tracing import Tracing
from providers.virtual_keys import KeyVerifier
from providers.virtual_keys.rows import LastUsed, Pool
from providers.wiring import numbers
from providers.wiring.database import conninfo, in_thread

BreakerChanged = Callable[[Deployment, BreakerChange], None]
log = get_logger(__name__)

_FLUSH_S = 30.0
_COUNT_S = 5.0
_SHORTEST_FLUSH_S = 1.0
_LAST_CALLS_S = 5.0
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
_QUOTAS = frozenset({"providers_quota", "providers_organisation"})
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
    repriced: asyncio.Event = field(default_factory=asyncio.Event)
    changes: Changes = field(init=False)
    live: Live = field(init=False)
    watch: Watch = field(init=False)
    kept_up: list[asyncio.Task[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.live = Live(
            world=self,
            breakers=self.engine.breakers,
            numbers=numbers.numbers,
            in_thread=in_thread,
            now=timezone.now,
            cache_is_away=self._redis_is_away,
        )
        self.watch = Watch(conninfo(), self.live.judge, lambda: numbers.numbers().every_s)
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
                _QUOTAS: self.read_quotas,
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
        await self.read_quotas()
        await self.changes.start()
        work = (
            self._keep_flushing(),
            self._keep_pricing(),
            self._keep_counting(),
            vitals.keep_measuring(),
        )
        for each in work:
            self.kept_up.append(asyncio.create_task(each))

    async def stop(self) -> None:
        """Settle and write what waits, then close every connection."""
        for task in self.kept_up:
            task.cancel()
        await self.watch.stop()
        await self.changes.stop()
        self.engine.hang_up.stop()
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
        engine.validation = numbers.validation()
        engine.filters.regions = settings.GAIWEB.pii_phone_regions
        engine.caller_limits.quotas = numbers.quotas()
        engine.retry.limits = numbers.retry_limits()
        engine.breakers.limits = numbers.breaker_limits()
        engine.loop.most_steps = numbers.most_steps()
        engine.cache.limits = numbers.cache_limits()
        engine.batcher.limits = numbers.batch_limits()
        cache = settings.GAIWEB.cache
        self.answers.bound(cache.local_bytes, cache.stale_ttl_s)
        self.secrets.environment = environment.secrets()
        if self.tracing is not None:
            self.tracing.providers = frozenset(settings.GAIWEB.traced_providers)
        await self.read_catalog()

    async def read_catalog(self) -> None:
        self.catalog = await in_thread(snapshot.read, environment.limits_of)
        self.repriced.set()

    async def read_credentials(self) -> None:
        self.secrets.publish(await in_thread(read_sealed))

    async def read_policies(self) -> None:
        self.policies = await in_thread(policies.read)

    def policy_of(self, team_id: int | None) -> Policy:
        return NO_POLICY if team_id is None else self.policies.get(team_id, NO_POLICY)

    def route_named(self, name: str) -> Route | None:
        return self.catalog.routes.get(name)

    def _redis_is_away(self) -> bool:
        return self.shared is not None and self.shared.sharing is Sharing.AWAY

    async def read_purges(self) -> None:
        found = await in_thread(purges.in_force)
        self.engine.cache.purges = found
        self.answers.forget(found)

    async def read_tools(self) -> None:
        self.tools.publish(await in_thread(tools.read))

    async def read_quotas(self) -> None:
        limits = self.engine.caller_limits
        limits.own = await in_thread(quotas.read)
        await self._count_today()

    async def _count_today(self) -> None:
        limits = self.engine.caller_limits
        if any(own.daily_tokens is not None for own in limits.own.values()):
            limits.today = await in_thread(quotas.read_today, timezone.now())

    async def _keep_counting(self) -> None:
        """Follow what all processes have used of limits a day; without one nothing is asked."""
        while True:
            await asyncio.sleep(_COUNT_S)
            try:
                await self._count_today()
            except (DatabaseError, OSError) as fault:
                log.warning("tokens_of_today_not_read", fault=type(fault).__name__)

    async def forget_keys(self) -> None:
        self.verifier.forget()

    async def _keep_pricing(self) -> None:
        """Take a price that was planned at its moment, and let one go at its end."""
        while True:
            self.repriced.clear()
            moment = self.catalog.next_price_at
            wait_s = None if moment is None else (moment - timezone.now()).total_seconds()
            try:
                async with asyncio.timeout(wait_s):
                    await self.repriced.wait()
            except TimeoutError:
                await self._reprice()

    async def _reprice(self) -> None:
        try:
            await self.read_catalog()
        except (DatabaseError, TimeoutError) as fault:
            log.warning("prices_not_read", fault=type(fault).__name__)
            await asyncio.sleep(_SHORTEST_FLUSH_S)

    async def _keep_flushing(self) -> None:
        while True:
            await asyncio.sleep(_SHORTEST_FLUSH_S)
            with suppress(TimeoutError):
                await asyncio.wait_for(self.hurry.wait(), _FLUSH_S)
            self.hurry.clear()
            await self.last_used.flush()
            await self.uses.flush()


def _both(first: BreakerChanged, second: BreakerChanged) -> BreakerChanged:
    def tell(deployment: Deployment, change: BreakerChange) -> None:
        first(deployment, change)
        second(deployment, change)

    return tell
