"""What a run needs of the engine, said as a port so that a test can play the answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from providers.engine.call import Caller
from providers.engine.events import Event
from providers.engine.request import CompletionRequest
from providers.engine.routes import Deployment
from providers.engine.usage import Usage


class Figures(Protocol):
    """Final once the answer's context has been left. None: not known."""

    @property
    def cost_nano(self) -> int | None: ...

    @property
    def usage(self) -> Usage | None: ...


class Answer(Protocol):
    @property
    def call(self) -> Figures: ...

    @property
    def deployment(self) -> Deployment: ...

    @property
    def is_fallback(self) -> bool: ...

    @property
    def events(self) -> AsyncIterator[Event]: ...


OpenAnswer = Callable[[CompletionRequest, Caller], AbstractAsyncContextManager[Answer]]
