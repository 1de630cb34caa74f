"""Texts of several callers in one request: a moment's wait, and a shared cost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from providers.engine.embedding import EmbeddingReply, Vector
from providers.engine.errors import EngineError, RequestRejected, UpstreamError
from providers.engine.ports import EmbeddingAdapter, Sleep
from providers.engine.routes import Deployment
from providers.engine.usage import Usage, tokens_of


@dataclass(frozen=True, slots=True)
class Limits:
    """`most_inputs` texts make a batch; `wait_s` is how long the first waits for others.

    `in_flight` requests are under way at once, whatever they are for.
    """

    most_inputs: int = 64
    wait_s: float = 0.005
    in_flight: int = 8


@dataclass(frozen=True, slots=True)
class Lane:
    """Who may share a request: the same tenant, key, deployment and length of vectors."""

    team_id: int | None
    secret: str | None = field(repr=False)
    deployment: Deployment = field(compare=False)
    deployment_id: int
    dimensions: int | None
    adapter: EmbeddingAdapter = field(compare=False)


@dataclass(frozen=True, slots=True)
class Share:
    """One caller's part. `cost_nano` None: no price. The parts of a batch are its whole."""

    vectors: tuple[Vector, ...]
    reply: EmbeddingReply
    usage: Usage
    cost_nano: int | None


@dataclass(slots=True)
class _Waiter:
    texts: Sequence[str]
    share: asyncio.Future[Share]

    @property
    def weight(self) -> int:
        return sum(max(len(text.encode()), 1) for text in self.texts)


@dataclass(slots=True)
class Batcher:
    """Belongs to one loop. `sent` hears of each request with the number of its texts."""

    sleep: Sleep
    sent: Callable[[Deployment, int], None]
    limits: Limits = field(default_factory=Limits)
    _waiting: dict[Lane, list[_Waiter]] = field(default_factory=dict[Lane, list[_Waiter]])
    _timers: dict[Lane, asyncio.Task[None]] = field(
        default_factory=dict[Lane, "asyncio.Task[None]"]
    )
    _tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    _slots: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.limits.in_flight)

    async def join(self, lane: Lane, texts: Sequence[str]) -> list[Share]:
        """Answer the shares in the order of the texts; many texts take several requests.

        Raises EngineError, of these texts' own where the fault is theirs.
        """
        most = min(self.limits.most_inputs, lane.adapter.most_inputs)
        parts = [texts[at : at + most] for at in range(0, len(texts), most)]
        waiters = [self._enter(lane, part, most) for part in parts]
        try:
            return [await waiter.share for waiter in waiters]
        finally:
            for waiter in waiters:
                waiter.share.cancel()
                # Whoever fails first speaks; the others' faults were heard as well.
                if not waiter.share.cancelled():
                    waiter.share.exception()

    async def drain(self) -> None:
        """Send what waits and see it through; for the end of the process."""
        for lane in list(self._waiting):
            self._send_all(lane)
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _enter(self, lane: Lane, texts: Sequence[str], most: int) -> _Waiter:
        waiter = _Waiter(texts, asyncio.get_running_loop().create_future())
        waiting = self._waiting.get(lane, [])
        if sum(len(each.texts) for each in waiting) + len(texts) > most:
            self._send_all(lane)
        waiting = self._waiting.setdefault(lane, [])
        waiting.append(waiter)
        if sum(len(each.texts) for each in waiting) >= most:
            self._send_all(lane)
        elif lane not in self._timers:
            self._timers[lane] = asyncio.create_task(self._send_later(lane))
        return waiter

    async def _send_later(self, lane: Lane) -> None:
        await self.sleep(self.limits.wait_s)
        del self._timers[lane]
        self._send_all(lane)

    def _send_all(self, lane: Lane) -> None:
        timer = self._timers.pop(lane, None)
        if timer is not None:
            timer.cancel()
        waiting = self._waiting.pop(lane, None)
        if waiting:
            self._run(self._send(lane, waiting))

    async def _send(self, lane: Lane, waiters: list[_Waiter]) -> None:
        async with self._slots:
            # Whoever has left meanwhile is not sent, and not paid for.
            left = [waiter for waiter in waiters if not waiter.share.done()]
            if left:
                await self._ask(lane, left)

    async def _ask(self, lane: Lane, waiters: list[_Waiter]) -> None:
        texts = [text for waiter in waiters for text in waiter.texts]
        self.sent(lane.deployment, len(texts))
        try:
            reply = await lane.adapter.embed(lane.deployment, texts, lane.dimensions, lane.secret)
        except EngineError as error:
            if len(waiters) > 1 and _is_of_the_texts(error):
                middle = len(waiters) // 2
                await self._ask(lane, waiters[:middle])
                await self._ask(lane, waiters[middle:])
                return
            _tell_all(waiters, error)
        except BaseException as error:
            _tell_all(waiters, error)
            raise
        else:
            _share_out(lane.deployment, waiters, reply)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _is_of_the_texts(error: EngineError) -> bool:
    """Tell whether it refused this very request: then one half of it may be fine."""
    if isinstance(error, UpstreamError):
        return not error.try_next
    return isinstance(error, RequestRejected)


def _tell_all(waiters: Sequence[_Waiter], error: BaseException) -> None:
    for waiter in waiters:
        if not waiter.share.done():
            # One each: a shared one would gather the tracebacks of all who raise it.
            waiter.share.set_exception(copy(error))


def _share_out(deployment: Deployment, waiters: Sequence[_Waiter], reply: EmbeddingReply) -> None:
    weights = [waiter.weight for waiter in waiters]
    usage = reply.usage or Usage(tokens_of(sum(weights)), 0, estimated=True)
    cost = None if deployment.price is None else deployment.price.cost_nano(usage)
    tokens = split(usage.input_tokens, weights)
    costs = [None] * len(waiters) if cost is None else split(cost, weights)
    at = 0
    for waiter, count, nano in zip(waiters, tokens, costs, strict=True):
        vectors = reply.vectors[at : at + len(waiter.texts)]
        at += len(waiter.texts)
        if not waiter.share.done():
            part = Usage(count, 0, estimated=usage.estimated)
            waiter.share.set_result(Share(vectors, reply, part, nano))


def split(whole: int, weights: Sequence[int]) -> list[int]:
    """Divide a whole number by weights above 0; the parts are its sum, each within 1 of its due."""
    total, so_far, given = sum(weights), 0, 0
    parts: list[int] = []
    for weight in weights:
        so_far += weight
        upto = whole * so_far // total
        parts.append(upto - given)
        given = upto
    return parts
