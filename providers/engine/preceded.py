"""Events that are here, before those that are to come."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class Preceded(AsyncIterator[T], Generic[T]):
    """`first`, then `rest`, whose own next it hands out: a generator would cost one more hop
    for each event of a stream.
    """

    def __init__(self, first: Iterable[T], rest: AsyncIterator[T]) -> None:
        self._first = deque(first)
        self._rest = rest

    def __anext__(self) -> Awaitable[T]:
        return _at_once(self._first.popleft()) if self._first else anext(self._rest)


async def _at_once(event: T) -> T:
    return event
