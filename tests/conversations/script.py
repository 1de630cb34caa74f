"""An answer whose events come when the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from providers.engine.call import Caller
from providers.engine.events import Event, Finish, FinishReason, Start, TextDelta
from providers.engine.request import CompletionRequest
from providers.engine.routes import Deployment
from providers.engine.usage import Usage

DEPLOYMENT = Deployment(1, "demo", "demo", "words", "")


@dataclass
class ScriptedFigures:
    cost_nano: int | None = None
    usage: Usage | None = None


@dataclass
class ScriptedAnswer:
    events: AsyncIterator[Event]
    call: ScriptedFigures = field(default_factory=ScriptedFigures)
    deployment: Deployment = DEPLOYMENT
    is_fallback: bool = False


class Script:
    """`open_answer` of a test: an exception in the line is raised, everything else is an event."""

    def __init__(self, *, is_fallback: bool = False) -> None:
        self.requests: list[CompletionRequest] = []
        self.callers: list[Caller] = []
        self.closed = asyncio.Event()
        self._line: asyncio.Queue[Event | Exception] = asyncio.Queue()
        self._is_fallback = is_fallback

    def play(self, *events: Event | Exception) -> None:
        for event in events:
            self._line.put_nowait(event)

    def say(self, text: str) -> None:
        """Play a whole answer of these words."""
        self.play(Start("demo/words", 1))
        self.play(*(TextDelta(word) for word in text.split(" ")))
        self.play(Finish(FinishReason.STOP))

    @asynccontextmanager
    async def open_answer(
        self, request: CompletionRequest, caller: Caller
    ) -> AsyncIterator[ScriptedAnswer]:
        self.requests.append(request)
        self.callers.append(caller)
        answer = ScriptedAnswer(self._events(), is_fallback=self._is_fallback)
        try:
            yield answer
        finally:
            await asyncio.sleep(0)  # settlement takes a moment
            answer.call.cost_nano = 1500
            answer.call.usage = Usage(10, 20)
            self.closed.set()

    async def _events(self) -> AsyncIterator[Event]:
        while True:
            event = await self._line.get()
            if isinstance(event, Exception):
                raise event
            yield event
            if isinstance(event, Finish):
                return
