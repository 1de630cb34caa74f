"""Hold the worst case before anything goes upstream, and book what it really was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

from providers.engine import cheaper
from providers.engine.bounds import may_hold_audio, search_bound
from providers.engine.call import Attempt, AttemptRecord, Call, Stream, output_bound
from providers.engine.ports import Downgrade, Intent, Ledger, Open, Reservation
from providers.engine.routes import Deployment, Route

T = TypeVar("T")

InputBound = Callable[[Call, Deployment], int]
"""Tokens that the prompt can have at most at this deployment."""


@dataclass(slots=True)
class _Hold:
    """`promised` is what the ledger was asked to hold in all; None: the route is unpriced."""

    reservation: Reservation
    promised: int | None
    topping_up: asyncio.Task[Reservation] | None = None


@dataclass(slots=True)
class Budget:
    """Stands above fallback: one durable hold for a call, settled once however the call ends.

    `ttl_s`: after that time a hold that nobody settled is resolved by the ledger's rule.
    `find_route` knows the cheaper routes of budgets by name, and may be replaced.
    """

    ledger: Ledger
    input_bound: InputBound
    ttl_s: float = 900.0
    find_route: Callable[[str], Route | None] = lambda _: None
    _holds: dict[UUID, _Hold] = field(default_factory=dict[UUID, _Hold])
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set[asyncio.Task[Any]])

    @asynccontextmanager
    async def open(self, call: Call, open_next: Open[Call]) -> AsyncGenerator[Stream]:
        async with self._held(call, await self._reserve(call), open_next) as stream:
            yield stream

    @asynccontextmanager
    async def open_texts(self, call: Call, open_next: Open[Call]) -> AsyncGenerator[Stream]:
        """Hold for texts that become vectors: those of a cheaper model would not fit the others."""
        found = await self.ledger.reserve(self._intent(call))
        if isinstance(found, Downgrade):
            raise cheaper.refused(found, "would give vectors that fit no others")
        async with self._held(call, found, open_next) as stream:
            yield stream

    @asynccontextmanager
    async def _held(
        self, call: Call, reservation: Reservation, open_next: Open[Call]
    ) -> AsyncGenerator[Stream]:
        # Between the hold and this line nothing may wait: a cancelled wait would leak it.
        try:
            self._holds[call.id] = _Hold(reservation, reservation.intent.worst_case_nano)
            async with open_next(call) as stream:
                yield stream
        finally:
            # A caller who hangs up still pays for what was streamed.
            await self._settle(self._holds.pop(call.id), call)

    async def _reserve(self, call: Call) -> Reservation:
        found = await self.ledger.reserve(self._intent(call))
        if isinstance(found, Downgrade):
            cheaper.take(call, found, self.find_route(found.route))
            found = await self.ledger.reserve(self._intent(call))
        if isinstance(found, Downgrade):
            raise cheaper.refused(found, "is not cheap enough")
        return found

    def open_attempt(
        self, attempt: Attempt, open_next: Open[Attempt]
    ) -> AbstractAsyncContextManager[Stream]:
        """Stand inside retry: hold more when an earlier attempt may have to be paid as well.

        An attempt that was surely not billed leaves the hold as it is.
        """
        if any(record.may_be_billed for record in attempt.call.attempts):
            return self._open_attempt(attempt, open_next)
        return open_next(attempt)

    @asynccontextmanager
    async def _open_attempt(
        self, attempt: Attempt, open_next: Open[Attempt]
    ) -> AsyncGenerator[Stream]:
        await self._make_room(attempt)
        async with open_next(attempt) as stream:
            yield stream

    async def drain(self) -> None:
        """Wait for top-ups that outlived their callers, and what settles them."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def worst_case(self, call: Call) -> int | None:
        """Nano-dollars of one attempt at the dearest deployment; None: one has no price."""
        worst = 0
        for deployment in call.route.deployments:
            cost = self._worst_case(call, deployment)
            if cost is None:
                return None
            worst = max(worst, cost)
        return worst

    async def _make_room(self, attempt: Attempt) -> None:
        call = attempt.call
        hold = self._holds[call.id]
        if hold.promised is None:
            return
        worst = self._worst_case(call, attempt.deployment)
        if worst is None:
            return
        needed = worst + sum(self._dearest(call, record) for record in call.attempts)
        if needed > hold.promised:
            extra = needed - hold.promised
            # Not to be cancelled half-way: settlement must know what is held.
            hold.topping_up = self._run(self.ledger.top_up(hold.reservation, extra))
            hold.reservation = await asyncio.shield(hold.topping_up)
            hold.promised = needed

    async def _settle(self, hold: _Hold, call: Call) -> None:
        if hold.topping_up is None or hold.topping_up.done():
            await self.ledger.settle(hold.reservation, call.attempts)
        else:
            await asyncio.shield(self._run(self._settle_after(hold.topping_up, hold, call)))

    async def _settle_after(
        self, topping_up: asyncio.Task[Reservation], hold: _Hold, call: Call
    ) -> None:
        await asyncio.wait([topping_up])
        await self.ledger.settle(hold.reservation, call.attempts)

    def _intent(self, call: Call) -> Intent:
        return Intent(
            request_id=call.id,
            caller=call.caller,
            route=call.route.name,
            worst_case_nano=self.worst_case(call),
            ttl_s=self.ttl_s,
            is_degraded=bool(call.cheaper_route),
        )

    def _worst_case(self, call: Call, deployment: Deployment) -> int | None:
        if deployment.price is None:
            return None
        output = output_bound(call.request, deployment) * call.request.choices
        return deployment.price.worst_case_nano(
            self.input_bound(call, deployment),
            output,
            with_audio=may_hold_audio(call.request),
            web_searches=search_bound(call.request),
        )

    def _dearest(self, call: Call, record: AttemptRecord) -> int:
        """Bound what an earlier attempt can cost: its own figure where the provider told it."""
        if not record.may_be_billed:
            return 0
        if record.usage is not None and not record.usage.estimated:
            return record.cost_nano or 0
        return self._worst_case(call, record.deployment) or 0

    def _run(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
