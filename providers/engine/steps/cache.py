"""Answer from what was kept: an exact hit of the same team costs nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace

from providers.engine import policy
from providers.engine.answer_key import key_of
from providers.engine.call import AttemptRecord, AttemptStatus, Call, Hit, Stream, Tier
from providers.engine.errors import NotCached
from providers.engine.events import Event, Finish, Notice, NoticeKind
from providers.engine.kept_answer import Content, Gathering, packed, unpacked
from providers.engine.policy import Policies
from providers.engine.ports import (
    AnswerKey,
    AnswerStore,
    KeptAnswer,
    Ledger,
    Now,
    Observer,
    Open,
    Purge,
    UtcNow,
)
from providers.engine.single_flight import Landing, SingleFlight

_MOST_WRITES = 256


@dataclass(frozen=True, slots=True)
class Limits:
    """`ttl_s` is how old an answer may be; `stale_ttl_s` when nothing else may be asked.

    `patience_s` is what one tier may take; `longest_wait_s` how long a prompt waits for the same
    one that is under way. Seconds.
    """

    ttl_s: float = 3600.0
    stale_ttl_s: float = 86_400.0
    most_characters: int = 10_000
    patience_s: float = 0.5
    longest_wait_s: float = 20.0


@dataclass(frozen=True, slots=True)
class _Found:
    kept: KeptAnswer
    content: Content
    tier: Tier


@dataclass(slots=True, kw_only=True)
class Cache:
    """`tiers`, nearest first; none: it is switched off. `secret` keys the digests.

    The same prompt under way in this process is waited for, not asked twice; who waited in vain
    goes on alone. `purges` say what counts no more, wherever it still lies.
    """

    ledger: Ledger
    observer: Observer
    now: Now
    utcnow: UtcNow
    tiers: Sequence[AnswerStore] = ()
    secret: bytes = b""
    policies: Policies = lambda _: policy.NONE
    limits: Limits = field(default_factory=Limits)
    purges: Sequence[Purge] = ()
    _flights: SingleFlight[KeptAnswer] = field(default_factory=SingleFlight[KeptAnswer])
    _writes: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    def open(self, call: Call, open_next: Open[Call]) -> AbstractAsyncContextManager[Stream]:
        key = self._key(call)
        if key is not None:
            return self._open(call, key, open_next)
        if call.is_cache_only:
            raise _not_cached()
        return open_next(call)

    @asynccontextmanager
    async def _open(
        self, call: Call, key: AnswerKey, open_next: Open[Call]
    ) -> AsyncGenerator[Stream]:
        found = await self._look(call, key)
        if found is not None:
            async with aclosing(found.content.replay(in_pieces=call.request.stream)) as events:
                yield self._hit(call, found, events)
            return
        if call.is_cache_only:
            raise _not_cached()
        with self._flights.leading(key.digest) as landing:
            async with (
                open_next(call) as stream,
                aclosing(self._watched(stream, key, landing)) as events,
            ):
                yield replace(stream, events=events)

    async def drain(self) -> None:
        """Wait for what is still being kept; for the end of the process."""
        if self._writes:
            await asyncio.wait(self._writes)

    def _key(self, call: Call) -> AnswerKey | None:
        if not self.tiers:
            return None
        return key_of(call, self.secret, self.policies(call.caller.team_id))

    async def _look(self, call: Call, key: AnswerKey) -> _Found | None:
        found = await self._find(call, key)
        if found is None and not call.is_cache_only:
            found = await self._wait(call, key)
        self.observer.cache_asked(call, None if found is None else found.tier)
        return found

    async def _find(self, call: Call, key: AnswerKey) -> _Found | None:
        most_s = self.limits.stale_ttl_s if call.is_cache_only else self.limits.ttl_s
        for place, store in enumerate(self.tiers):
            kept = await self._get(store, key)
            found = None if kept is None else self._valid(call, key, kept, store.tier)
            if found is None or self._age_s(found.kept) > most_s:
                continue
            for nearer in self.tiers[:place]:
                await nearer.put(key, found.kept)
            return found
        return None

    async def _get(self, store: AnswerStore, key: AnswerKey) -> KeptAnswer | None:
        try:
            async with asyncio.timeout(self.limits.patience_s):
                return await store.get(key)
        except TimeoutError:
            return None

    def _valid(self, call: Call, key: AnswerKey, kept: KeptAnswer, tier: Tier) -> _Found | None:
        if any(purge.covers(key, kept) for purge in self.purges):
            return None
        content = unpacked(kept.value)
        names = {each.name for each in call.route.deployments}
        if content is None or content.deployment not in names:
            return None
        return _Found(kept, content, tier)

    async def _wait(self, call: Call, key: AnswerKey) -> _Found | None:
        patience_s = min(self.limits.longest_wait_s, (call.deadline - self.now()) / 2)
        kept = await self._flights.wait(key.digest, patience_s)
        return None if kept is None else self._valid(call, key, kept, Tier.LOCAL)

    async def _watched(
        self, stream: Stream, key: AnswerKey, landing: Landing[KeptAnswer]
    ) -> AsyncGenerator[Event, None]:
        gathering = Gathering(self.limits.most_characters)
        async for event in stream.events:
            gathering.add(event)
            if not gathering.is_fit:
                landing.tell(None)
            if isinstance(event, Finish):
                content = gathering.content(stream.deployment.name, stream.record.cost_nano)
                if content is not None:
                    landing.tell(await self._keep(key, content))
            yield event

    async def _keep(self, key: AnswerKey, content: Content) -> KeptAnswer:
        """Nobody waits for a tier outside this process; too many writes are left out."""
        kept = KeptAnswer(packed(content), self.utcnow())
        self.observer.answer_kept(len(kept.value))
        for store in self.tiers:
            if store.tier is Tier.LOCAL:
                await store.put(key, kept)
            elif len(self._writes) < _MOST_WRITES:
                task = asyncio.create_task(store.put(key, kept))
                self._writes.add(task)
                task.add_done_callback(self._writes.discard)
        return kept

    def _hit(self, call: Call, found: _Found, events: AsyncGenerator[Event, None]) -> Stream:
        content, age_s = found.content, self._age_s(found.kept)
        deployment = next(d for d in call.route.deployments if d.name == content.deployment)
        call.hit = Hit(deployment, found.tier, age_s, content.usage, content.cost_nano)
        call.notices.append(Notice(NoticeKind.CACHED, _words(age_s)))
        record = AttemptRecord(
            number=0,
            deployment=deployment,
            started_at=self.utcnow(),
            input_bound=0,
            status=AttemptStatus.OK,
            usage=content.usage,
        )
        self.ledger.note_hit(call, record)
        return Stream(deployment, record, events)

    def _age_s(self, kept: KeptAnswer) -> float:
        return max((self.utcnow() - kept.kept_at).total_seconds(), 0.0)


def _not_cached() -> NotCached:
    return NotCached("Nothing may be asked now, and no answer to this prompt is kept.")


def _words(age_s: float) -> str:
    return f"This answer is from the cache, {_age(age_s)} old. It cost nothing."


def _age(age_s: float) -> str:
    for unit_s, word in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if age_s >= unit_s:
            count = int(age_s // unit_s)
            return f"{count} {word}{'' if count == 1 else 's'}"
    return "less than a minute"
