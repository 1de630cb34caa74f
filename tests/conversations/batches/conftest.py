"""Batches of Ada's, and a provider that answers each prompt as the test has planned."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from django.utils import timezone

from conversations.batches import book
from conversations.batches.prompts import Prompt
from conversations.choices import Choices
from conversations.models import BatchJob
from providers.engine.call import Caller
from providers.engine.events import Event, Finish, FinishReason, TextDelta
from providers.engine.request import CompletionRequest
from providers.engine.usage import Usage
from providers.models import Team, User
from tests.conversations.script import ScriptedAnswer

Make = Callable[..., BatchJob]


@dataclass
class Oracle:
    """Answers `echo of ...`, or raises what is planned for a prompt, one after the other.

    `gate` closed: answers do not come. `most_open` is how many were open at once.
    """

    plans: dict[str, list[Exception]] = field(default_factory=dict)
    requests: list[CompletionRequest] = field(default_factory=list)
    callers: list[Caller] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    was_asked: asyncio.Event = field(default_factory=asyncio.Event)
    open_now: int = 0
    most_open: int = 0

    def __post_init__(self) -> None:
        self.gate.set()

    @property
    def prompts(self) -> list[str]:
        return [request.messages[-1].text for request in self.requests]

    @asynccontextmanager
    async def open_answer(
        self, request: CompletionRequest, caller: Caller
    ) -> AsyncIterator[ScriptedAnswer]:
        self.requests.append(request)
        self.callers.append(caller)
        self.was_asked.set()
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        try:
            await asyncio.sleep(0)
            prompt = request.messages[-1].text
            if plan := self.plans.get(prompt):
                raise plan.pop(0)
            answer = ScriptedAnswer(self._events(prompt))
            yield answer
            answer.call.cost_nano = 1500
            answer.call.usage = Usage(10, 20)
        finally:
            self.open_now -= 1

    async def _events(self, prompt: str) -> AsyncIterator[Event]:
        await self.gate.wait()
        yield TextDelta("echo of ")
        yield TextDelta(prompt)
        yield Finish(FinishReason.STOP)


@pytest.fixture
async def oracle() -> Oracle:
    return Oracle()


@pytest.fixture
def batch_of(ada: User, team: Team) -> Make:
    """Make a batch of these prompts; started unless told otherwise."""

    def make(*prompts: str, is_started: bool = True) -> BatchJob:
        found = [Prompt(text, "", "", line) for line, text in enumerate(prompts, 1)]
        choices = Choices("demo", "Be brief.", 0.5, 300)
        batch = book.make((ada, team), book.Wanted("Colours", choices, found, "tags"), 1_000_000)
        if is_started:
            book.start(batch, timezone.now())
        return batch

    return make
