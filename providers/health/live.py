"""One loop's part: it goes by the levels in force, notes its breakers, and judges in its turn."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from django.db import Error as OrmError
from structlog import get_logger

from providers import metrics
from providers.catalog.snapshot import Catalog
from providers.engine.levels import FULL, InForce, Level
from providers.engine.policy import Policy
from providers.engine.ports import BreakerChange, BreakerState, BreakerWord, Forced, UtcNow
from providers.engine.routes import Deployment, Route
from providers.health import decide, history, in_force, levels, windows
from providers.health.history import Transition
from providers.health.in_force import Caps
from providers.health.judgement import Judgement, judge
from providers.health.ladder import Ladder
from providers.health.levels import Levels
from providers.health.score import Weights

log = get_logger(__name__)

_MOST_TRANSITIONS = 1000


@dataclass(frozen=True, slots=True)
class Numbers:
    """As they are configured now; see `gaiweb.config.health`."""

    ladder: Ladder = field(default_factory=Ladder)
    weights: Weights = field(default_factory=Weights)
    caps: Caps = field(default_factory=Caps)
    every_s: float = 5.0
    window: timedelta = timedelta(minutes=5)
    capacity: int = 1000
    automatic: bool = True


class World(Protocol):
    """What is read anew at each use: it is replaced whole when it changes."""

    @property
    def catalog(self) -> Catalog: ...

    @property
    def policies(self) -> Mapping[int, Policy]: ...


class Breakers(Protocol):
    """The board of this loop's circuits."""

    def snapshot(self) -> list[BreakerState]: ...

    def force(self, forced: Mapping[int, Forced]) -> None: ...

    def reset(self, deployment_id: int) -> None: ...


InThread = Callable[..., Awaitable[Any]]
"""Run a sync function that asks the database."""


@dataclass(slots=True, kw_only=True)
class Live:
    """`hurry` wakes the one that judges, when this process is it."""

    world: World
    breakers: Breakers
    numbers: Callable[[], Numbers]
    in_thread: InThread
    now: UtcNow
    cache_is_away: Callable[[], bool] = lambda: False
    hurry: Callable[[], None] = lambda: None
    levels: Levels = levels.UNKNOWN
    _transitions: list[Transition] = field(default_factory=list[Transition])
    _writes: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    _carried_out: set[int] | None = None
    _scores_kept_at: datetime | None = None
    _usual: windows.Usual = field(default_factory=lambda: windows.Usual(timedelta(minutes=5)))

    def for_team(self, team_id: int | None) -> InForce:
        """Say what holds for a team's prompt; asked at every one."""
        standing = self.levels.standing(team_id, self.now())
        if standing.level is Level.FULL:
            return FULL
        policy = self.world.policies.get(team_id or 0, Policy())
        caps = self.numbers().caps.of(policy)
        score = self.levels.score
        return in_force.in_force(
            standing.level,
            score.value if score is not None else None,
            policy,
            caps,
            self._fast(caps.fast_route),
        )

    async def read_levels(self) -> None:
        self.levels = await self.in_thread(levels.read, self.now())
        self.breakers.force(self.levels.forced)
        self._reset_breakers()
        self._measure()

    def breaker_changed(self, deployment: Deployment, change: BreakerChange) -> None:
        """Note it, have it written behind, and have it judged at once."""
        if change.made_here and len(self._transitions) < _MOST_TRANSITIONS:
            self._transitions.append(Transition(self.now(), deployment.id, change))
            task = asyncio.get_running_loop().create_task(self.flush())
            self._writes.add(task)
            task.add_done_callback(self._writes.discard)
        self.hurry()

    async def flush(self) -> None:
        """Write the transitions noted since; kept for the next time when that fails."""
        found, self._transitions = self._transitions, []
        if not found:
            return
        try:
            await self.in_thread(history.keep_transitions, found)
        except (OrmError, OSError) as fault:
            self._transitions = [*found, *self._transitions][:_MOST_TRANSITIONS]
            log.warning("transitions_not_written", fault=type(fault).__name__)

    async def drain(self) -> None:
        """Wait for what is being written; for the end of the process."""
        if self._writes:
            await asyncio.wait(self._writes)

    async def judge(self) -> None:
        """Judge everything and publish it; only by the process that holds the lock."""
        await self.in_thread(self._judge)

    def _judge(self) -> None:
        numbers = self.numbers()
        self._usual.within = numbers.window
        now = self.now()
        targets = self._targets()
        found = windows.read(now, targets, self.breakers.snapshot(), self._usual)
        vitals = windows.vitals(
            now, numbers.window, numbers.capacity, cache_is_away=self.cache_is_away()
        )
        judgement = judge(now, targets, found, vitals, numbers.weights)
        decide.decide(judgement, numbers.ladder, self.world.policies, automatic=numbers.automatic)
        self._keep(judgement)

    def _keep(self, judgement: Judgement) -> None:
        last = self._scores_kept_at
        if last is None or judgement.at - last >= history.EVERY:
            history.keep_scores(judgement)
            self._scores_kept_at = judgement.at

    def _targets(self) -> list[Deployment]:
        """List the deployments that routes lead to, once each."""
        routes = self.world.catalog.routes.values()
        return list({each.id: each for route in routes for each in route.deployments}.values())

    def _fast(self, name: str) -> Route | None:
        if not name:
            return None
        resting = {
            state.deployment_id
            for state in self.breakers.snapshot()
            if state.word is not BreakerWord.CLOSED
        }
        healthy = self.numbers().ladder.simplified_below
        low = {id for id, score in self.levels.scores.items() if score.value < healthy}
        return in_force.fast_route(name, self.world.catalog, resting | low)

    def _reset_breakers(self) -> None:
        """Carry out what was ordered since this process began to listen, once."""
        ordered = dict(self.levels.resets)
        if self._carried_out is not None:
            for id in ordered.keys() - self._carried_out:
                self.breakers.reset(ordered[id])
        self._carried_out = set(ordered)

    def _measure(self) -> None:
        names = self.world.catalog.deployments
        metrics.measure_health(
            self.levels.standing(None, self.now()).level.rank,
            self.levels.score.value if self.levels.score else None,
            [(names[id], one.value) for id, one in self.levels.scores.items() if id in names],
        )
