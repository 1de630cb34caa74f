"""An answer whose caller has hung up: broken off, or read to its end, as the team wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

from providers.engine.call import AttemptStatus, Call, Source, Stream
from providers.engine.errors import Cancelled
from providers.engine.events import Event, ReasoningDelta, TextDelta, ToolCallDelta
from providers.engine.policy import AfterHangUp, Policies, Policy
from providers.engine.ports import Open
from providers.engine.usage import Usage, tokens_of


@dataclass(slots=True)
class HangUp:
    """Stands above the budget, so that what is read is settled as it ends.

    Only where a team wants it drained is an answer read by a task of its own. Cancelled once, its
    caller has hung up; cancelled again, or stopping, it is broken off. In the playground a person
    stops an answer, and that is what they mean.
    """

    policies: Policies
    _readings: set[_Reading] = field(default_factory=set["_Reading"])
    _is_stopping: bool = False

    def open(self, call: Call, open_next: Open[Call]) -> AbstractAsyncContextManager[Stream]:
        policy = self.policies(call.caller.team_id)
        if policy.hang_up is AfterHangUp.ABORT or call.caller.source is not Source.GATEWAY:
            return open_next(call)
        return self._open(call, open_next, policy)

    def stop(self) -> None:
        """Break off what nobody listens to, now and from now on; each reaches its settlement."""
        self._is_stopping = True
        for reading in self._readings:
            if reading.is_left:
                reading.break_off()

    @asynccontextmanager
    async def _open(
        self, call: Call, open_next: Open[Call], policy: Policy
    ) -> AsyncGenerator[Stream]:
        reading = _Reading(call, open_next, policy)
        self._readings.add(reading)
        reading.task.add_done_callback(lambda _: self._readings.discard(reading))
        try:
            yield await reading.opened()
        except (asyncio.CancelledError, GeneratorExit):
            if not self._is_stopping:
                await reading.drain()
            raise
        finally:
            reading.break_off()
            await reading.ended()


class _Reading:
    """One answer, read as it comes. An answer has a greatest length, so what waits here has too."""

    def __init__(self, call: Call, open_next: Open[Call], policy: Policy) -> None:
        self.is_left = False
        self._call = call
        self._open_next = open_next
        self._policy = policy
        self._is_read = False
        self._unheard_bytes = 0
        self._failure: BaseException | None = None
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._opened: asyncio.Future[Stream] = asyncio.get_running_loop().create_future()
        self.task = asyncio.create_task(self._read(), name="answer that is drained")

    async def opened(self) -> Stream:
        return await asyncio.shield(self._opened)

    async def drain(self) -> None:
        """Wait for its end, within what the team allows."""
        self.is_left = True
        with suppress(TimeoutError):
            async with asyncio.timeout(self._policy.drain_s):
                await self.ended()

    def break_off(self) -> None:
        """Read no further; what is being settled is left to it."""
        if not self._is_read:
            self.task.cancel()

    async def ended(self) -> None:
        await asyncio.wait([self.task])
        if not self.task.cancelled():
            # Told where the answer is read; here it only counts as seen.
            self.task.exception()

    async def _read(self) -> None:
        try:
            async with self._open_next(self._call) as stream:
                self._opened.set_result(replace(stream, events=self._heard(), frames=None))
                await self._read_all(stream)
        except asyncio.CancelledError:
            self._opened.cancel()
            raise
        except BaseException as error:
            if not self._opened.done():
                self._opened.set_exception(error)
                # Nobody may be there to hear it.
                self._opened.exception()
            raise

    async def _read_all(self, stream: Stream) -> None:
        try:
            async for event in stream.events:
                if not self.is_left:
                    self._events.put_nowait(event)
                elif self._is_too_dear(event, stream):
                    return
        except BaseException as error:
            self._failure = error
            raise
        finally:
            self._is_read = True
            self._events.put_nowait(None)
        if self.is_left:
            stream.record.status = AttemptStatus.DRAINED
            stream.record.error_code = Cancelled.code

    async def _heard(self) -> AsyncGenerator[Event, None]:
        while (event := await self._events.get()) is not None:
            yield event
        if self._failure is not None:
            raise self._failure

    def _is_too_dear(self, event: Event, stream: Stream) -> bool:
        """Count what comes after the hang-up; its input is paid for in any case."""
        if isinstance(event, TextDelta | ReasoningDelta):
            self._unheard_bytes += len(event.text.encode())
        elif isinstance(event, ToolCallDelta):
            self._unheard_bytes += len(event.arguments)
        price = stream.deployment.price
        if price is None:
            return False
        return price.cost_nano(Usage(0, tokens_of(self._unheard_bytes))) > self._policy.drain_nano
