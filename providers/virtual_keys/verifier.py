"""Who a presented key belongs to: in memory when known, one question to the database when not."""

from __future__ import annotations

import asyncio
import hmac
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from providers.engine.call import Caller, Source
from providers.virtual_keys.secret import (
    DIGEST_BYTES,
    HEAD,
    PREFIX_LENGTH,
    SECRET_LENGTH,
    InvalidKey,
    digest,
)

_NOBODY = bytes(DIGEST_BYTES)


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A live key. `expires_at` in seconds since the epoch; None: never."""

    digest: bytes
    caller: Caller
    expires_at: float | None


Find = Callable[[str], Awaitable[KnownKey | None]]
"""The live key of a prefix; None: there is none, or it is revoked."""


@dataclass(slots=True, repr=False)
class KeyVerifier:
    """Bounded in keys and in age, so that even a lost notification is repaired by itself.

    Unknown and revoked keys take the same way and cost the same. `epoch` is the wall clock, as
    keys expire by it.
    """

    find: Find
    used: Callable[[int], None]
    pepper: bytes
    now: Callable[[], float]
    epoch: Callable[[], float]
    keep_s: float = 30.0
    most: int = 10_000
    _known: OrderedDict[str, tuple[KnownKey | None, float]] = field(default_factory=OrderedDict)
    _asking: dict[str, asyncio.Task[KnownKey | None]] = field(default_factory=dict)
    _generation: int = 0

    async def verify(self, secret: str) -> Caller:
        """Raise InvalidKey; the caller learns no reason."""
        if len(secret) != SECRET_LENGTH or not secret.startswith(HEAD):
            raise InvalidKey
        presented = digest(secret, self.pepper)
        prefix = secret[:PREFIX_LENGTH]
        entry = self._known.get(prefix)
        if entry is not None and self.now() < entry[1]:
            known = entry[0]
        else:
            known = await self._ask_once(prefix)
        expected = _NOBODY if known is None else known.digest
        if not hmac.compare_digest(expected, presented) or known is None:
            raise InvalidKey
        if known.expires_at is not None and self.epoch() >= known.expires_at:
            raise InvalidKey
        if known.caller.key_id is not None:
            self.used(known.caller.key_id)
        return known.caller

    def forget(self) -> None:
        """Something about keys or people changed: ask again for each."""
        self._generation += 1
        self._known.clear()
        self._asking.clear()

    async def _ask_once(self, prefix: str) -> KnownKey | None:
        """Join the question that is already under way; one caller's leaving does not end it."""
        asking = self._asking.get(prefix)
        if asking is None:
            asking = asyncio.create_task(self._ask(prefix))
            self._asking[prefix] = asking
        return await asyncio.shield(asking)

    async def _ask(self, prefix: str) -> KnownKey | None:
        generation = self._generation
        try:
            known = await self.find(prefix)
        finally:
            if generation == self._generation:
                self._asking.pop(prefix, None)
        # What was read before a change must not outlive it.
        if generation == self._generation:
            self._keep(prefix, known)
        return known

    def _keep(self, prefix: str, known: KnownKey | None) -> None:
        self._known[prefix] = (known, self.now() + self.keep_s)
        self._known.move_to_end(prefix)
        while len(self._known) > self.most:
            self._known.popitem(last=False)


def caller_of(user_id: int, team_id: int, key_id: int, routes: list[str], tag: str = "") -> Caller:
    return Caller(Source.GATEWAY, user_id, team_id, key_id, frozenset(routes), tag)
