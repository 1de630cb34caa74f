"""One context out of several that are tried in turn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType

from providers.engine.call import Stream

Context = AbstractAsyncContextManager[Stream]


class FirstToOpen(AbstractAsyncContextManager[Stream]):
    """What `find` has entered; leaving it leaves that one.

    An AsyncExitStack does the same for any number of contexts, at several times the price.
    """

    def __init__(self, find: Callable[[FirstToOpen], Awaitable[Stream]]) -> None:
        self._find = find
        self._opened: Context | None = None

    async def enter(self, context: Context) -> Stream:
        """Try it; what it raises is for `find` to judge."""
        stream = await context.__aenter__()
        self._opened = context
        return stream

    async def __aenter__(self) -> Stream:
        return await self._find(self)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        if self._opened is None:
            return None
        return await self._opened.__aexit__(kind, failure, traceback)
