"""The near tier of the cache: this process's memory, least recently used out first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from providers.engine.call import Tier
from providers.engine.ports import AnswerKey, KeptAnswer, Purge, UtcNow


@dataclass(slots=True)
class LocalAnswers:
    """`most_bytes` bounds the values; what is older than `ttl_s` is dropped when it is met."""

    utcnow: UtcNow
    most_bytes: int
    ttl_s: float
    tier: Tier = Tier.LOCAL
    size: int = 0
    _kept: OrderedDict[bytes, tuple[AnswerKey, KeptAnswer]] = field(
        default_factory=OrderedDict[bytes, tuple[AnswerKey, KeptAnswer]]
    )

    def __len__(self) -> int:
        return len(self._kept)

    async def get(self, key: AnswerKey) -> KeptAnswer | None:
        found = self._kept.get(key.digest)
        if found is None:
            return None
        if (self.utcnow() - found[1].kept_at).total_seconds() > self.ttl_s:
            self._drop(key.digest)
            return None
        self._kept.move_to_end(key.digest)
        return found[1]

    async def put(self, key: AnswerKey, kept: KeptAnswer) -> None:
        self._drop(key.digest)
        if len(kept.value) > self.most_bytes:
            return
        self._kept[key.digest] = (key, kept)
        self.size += len(kept.value)
        while self.size > self.most_bytes:
            self._drop(next(iter(self._kept)))

    def forget(self, purges: Sequence[Purge]) -> None:
        for digest, (key, kept) in list(self._kept.items()):
            if any(purge.covers(key, kept) for purge in purges):
                self._drop(digest)

    def _drop(self, digest: bytes) -> None:
        found = self._kept.pop(digest, None)
        if found is not None:
            self.size -= len(found[1].value)
