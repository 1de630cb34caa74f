"""The same thing asked twice at once is fetched once; whoever waits in vain goes on alone."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


class Landing(Generic[T]):
    """What those who wait are told, once; None: there is nothing for them."""

    def __init__(self) -> None:
        self._told: asyncio.Future[T | None] = asyncio.get_running_loop().create_future()

    def tell(self, value: T | None) -> None:
        if not self._told.done():
            self._told.set_result(value)

    async def wait(self, patience_s: float) -> T | None:
        await asyncio.wait([self._told], timeout=patience_s)
        return self._told.result() if self._told.done() else None


@dataclass(slots=True)
class SingleFlight(Generic[T]):
    """In this process. A leader who fails or is cancelled tells that there is nothing."""

    _landings: dict[bytes, Landing[T]] = field(default_factory=dict[bytes, "Landing[T]"])

    async def wait(self, key: bytes, patience_s: float) -> T | None:
        """None: nobody has it under way, or in vain, or time was up."""
        landing = self._landings.get(key)
        return None if landing is None else await landing.wait(patience_s)

    @contextmanager
    def leading(self, key: bytes) -> Generator[Landing[T]]:
        """Let others wait for this one; beside another leader it leads nobody."""
        landing = Landing[T]()
        self._landings.setdefault(key, landing)
        try:
            yield landing
        finally:
            if self._landings.get(key) is landing:
                del self._landings[key]
            landing.tell(None)
