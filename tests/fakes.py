"""Fakes of the engine's ports: a ledger in memory, a scripted provider, an observer that keeps.

Nothing here sleeps by the wall's clock; see `Clock` in tests/engine/conftest.py for time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from uuid import UUID, uuid4

from providers.engine.call import Attempt, AttemptRecord, Call, Caller, Hit, Reply, Source, Tier
from providers.engine.errors import BudgetExceeded, Unpriced
from providers.engine.events import (
    Event,
    Finish,
    FinishReason,
    TextDelta,
    ToolCalled,
    UsageReported,
)
from providers.engine.policy import FilterMode
from providers.engine.ports import BreakerChange, Downgrade, Intent, Reservation
from providers.engine.request import CompletionRequest, Message, Role, ToolCall
from providers.engine.routes import Deployment, Route
from providers.engine.tools import Ran
from providers.engine.usage import Price, Usage

CALLER = Caller(Source.GATEWAY, user_id=1, team_id=1, key_id=1)
PRICE = Price(input=Decimal(1), output=Decimal(2), version="test")


def a_request(text: str = "Hello", **fields: object) -> CompletionRequest:
    base = CompletionRequest(id=uuid4(), route="gpt", messages=(Message.of(Role.USER, text),))
    return replace(base, **fields)  # type: ignore[arg-type] # the test names the fields


def a_deployment(id: int = 1, **fields: object) -> Deployment:
    """Make a local one of kind `script`, priced, with one attempt and no limit of its own."""
    base = Deployment(
        id=id,
        provider=f"provider{id}",
        kind="script",
        model=f"model{id}",
        base_url="http://127.0.0.1",
        is_local=True,
        price=PRICE,
        max_attempts=1,
        requests_per_second=None,
    )
    return replace(base, **fields)  # type: ignore[arg-type] # the test names the fields


def a_route(*deployments: Deployment) -> Route:
    return Route("gpt", deployments or (a_deployment(),))


@dataclass
class MemoryLedger:
    """A hard budget of `limit_nano` over everybody; None: no budget applies."""

    limit_nano: int | None = None
    spent_nano: int = 0
    held: dict[UUID, int] = field(default_factory=dict)
    settled: dict[UUID, list[AttemptRecord]] = field(default_factory=dict)
    intents: list[Intent] = field(default_factory=list)
    hits: list[Hit] = field(default_factory=list)
    downgrade: Downgrade | None = None
    before_answer: Callable[[], Awaitable[None]] | None = None
    """Awaited after a hold is durable and before the engine hears of it."""

    async def reserve(self, intent: Intent) -> Reservation | Downgrade:
        self.intents.append(intent)
        if self.downgrade is not None and not intent.is_degraded:
            return self.downgrade
        reservation = Reservation(uuid4(), intent, held_nano=0)
        self.held[reservation.id] = 0
        try:
            return await self._hold(reservation, intent.worst_case_nano)
        except (BudgetExceeded, Unpriced, asyncio.CancelledError):
            del self.held[reservation.id]
            raise

    async def top_up(self, reservation: Reservation, extra_nano: int) -> Reservation:
        return await self._hold(reservation, extra_nano)

    async def settle(self, reservation: Reservation, attempts: Sequence[AttemptRecord]) -> None:
        if reservation.id not in self.settled:
            self.settled[reservation.id] = list(attempts)
            self.held.pop(reservation.id)
            self.spent_nano += sum(record.cost_nano or 0 for record in attempts)
        await asyncio.sleep(0)

    def note_hit(self, call: Call, record: AttemptRecord) -> None:
        assert call.hit is not None
        self.hits.append(call.hit)

    @property
    def held_nano(self) -> int:
        return sum(self.held.values())

    async def _hold(self, reservation: Reservation, nano: int | None) -> Reservation:
        if nano is None and self.limit_nano is not None:
            raise Unpriced("There is a hard budget, and a deployment without a price.")
        nano = nano or 0
        if (
            self.limit_nano is not None
            and self.spent_nano + self.held_nano + nano > self.limit_nano
        ):
            raise BudgetExceeded("The budget is spent.", budget="everybody")
        self.held[reservation.id] += nano
        if self.before_answer is not None:
            await self.before_answer()
        return replace(reservation, held_nano=self.held[reservation.id])


def an_answer(*pieces: str, usage: Usage | None = None) -> list[Event]:
    events: list[Event] = [TextDelta(piece) for piece in pieces or ("Hi",)]
    return [*events, UsageReported(usage or Usage(3, 2)), Finish(FinishReason.STOP)]


def a_calling(*calls: ToolCall, text: str = "", usage: Usage | None = None) -> list[Event]:
    """Play a step in which the model calls tools."""
    return [
        *([TextDelta(text)] if text else []),
        *(ToolCalled(place, call) for place, call in enumerate(calls)),
        UsageReported(usage or Usage(3, 2)),
        Finish(FinishReason.TOOL_CALLS),
    ]


Step = Event | Exception | float | asyncio.Event
"""An event to send, an error to raise, seconds of silence, or something to wait for."""


@dataclass
class Script:
    """A provider that plays, for each try in turn, one list of steps; the last list repeats.

    An error as the first step is raised before there are headers. `opened` and `closed` count.
    """

    plays: dict[str, list[list[Step]]] = field(default_factory=dict)
    kind: str = "script"
    opened: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    secrets: list[str | None] = field(default_factory=list)
    asked: list[CompletionRequest] = field(default_factory=list)
    overhead: int = 0

    def plays_for(self, deployment: Deployment, *plays: Sequence[Step]) -> None:
        self.plays[deployment.name] = [list(play) for play in plays]

    def input_overhead(self, call: Call) -> int:
        return self.overhead

    @asynccontextmanager
    async def open(self, attempt: Attempt, secret: str | None) -> AsyncGenerator[Reply]:
        name = attempt.deployment.name
        self.opened.append(name)
        self.secrets.append(secret)
        self.asked.append(attempt.call.request)
        plays = self.plays.get(name, [an_answer()])
        play = plays.pop(0) if len(plays) > 1 else plays[0]
        try:
            if play and isinstance(play[0], Exception):
                raise play[0]
            yield Reply(events=_played(play), http_status=200, upstream_request_id="req_1")
        finally:
            self.closed.append(name)

    async def check(self, deployment: Deployment, secret: str | None) -> int:
        return 1


async def _played(play: list[Step]) -> AsyncGenerator[Event, None]:
    for step in play:
        match step:
            case Exception():
                raise step
            case asyncio.Event():
                await step.wait()
            case int() | float():
                await asyncio.sleep(step)
            case _:
                yield step


class NoSecrets:
    def pick(self, deployment: Deployment, caller: Caller) -> str:
        return ""

    async def open(self, deployment: Deployment, credential: str) -> str | None:
        return None

    def report(self, credential: str, *, is_taken: bool) -> None:
        pass


@dataclass
class Recorder:
    """An observer that keeps what it is told."""

    attempts: list[AttemptRecord] = field(default_factory=list)
    calls: list[str | None] = field(default_factory=list)
    breakers: list[tuple[str, str]] = field(default_factory=list)
    changes: list[BreakerChange] = field(default_factory=list)
    denied: list[str] = field(default_factory=list)
    findings: list[tuple[str, str, str, int]] = field(default_factory=list)
    tools: list[Ran] = field(default_factory=list)
    asked: list[Tier | None] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)

    def tool_ended(self, call: Call, ran: Ran) -> None:
        self.tools.append(ran)

    def attempt_ended(self, call: Call, record: AttemptRecord) -> None:
        self.attempts.append(record)

    def call_ended(self, call: Call, error_code: str | None, duration_s: float) -> None:
        self.calls.append(error_code)

    def breaker_changed(self, deployment: Deployment, change: BreakerChange) -> None:
        self.breakers.append((deployment.name, change.after))
        self.changes.append(change)

    def retry_denied(self, deployment: Deployment) -> None:
        self.denied.append(deployment.name)

    def cache_asked(self, call: Call, found: Tier | None) -> None:
        self.asked.append(found)

    def batch_sent(self, deployment: Deployment, texts: int) -> None:
        self.batches.append(texts)

    def answer_kept(self, size: int) -> None:
        self.kept.append(size)

    def filter_found(self, kind: str, place: str, action: FilterMode, count: int) -> None:
        self.findings.append((kind, place, action.value, count))
