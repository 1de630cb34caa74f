"""The way to Redis: one connection, calls in batches, and what to do while it is away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError
from structlog import get_logger

from providers.state.ended import ended

log = get_logger(__name__)

# One tag, so that a cluster keeps the keys of one script together.
PREFIX = "{gaiweb}:"


class Away(Exception):
    """Redis did not answer in time; it is asked again after a pause, in the background."""


class Script:
    """A script of this folder."""

    def __init__(self, name: str) -> None:
        self.text = Path(__file__).with_name(name).read_text()


@dataclass(slots=True)
class _Call:
    script: Script
    keys: Sequence[str]
    arguments: Sequence[str | int | float]
    answer: asyncio.Future[Any]


@dataclass(slots=True)
class RedisLink:
    """Calls that wait in the same turn of the loop are one round trip, in order.

    Who calls while it is away learns so at once; the first who finds out waits `patience_s` at
    most. After `pause_s`, and again and again, it is looked whether it has come back.
    """

    url: str
    patience_s: float = 0.5
    pause_s: float = 1.0
    went: Callable[[], None] = field(default=lambda: None)
    came: Callable[[], None] = field(default=lambda: None)
    is_up: bool = False
    _redis: Redis = field(init=False)
    _waiting: list[_Call] = field(default_factory=list[_Call])
    _tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    _sending: asyncio.Task[None] | None = None
    _watch: asyncio.Task[None] | None = None
    _shas: dict[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        self._redis = Redis.from_url(
            self.url,
            socket_timeout=self.patience_s,
            socket_connect_timeout=self.patience_s,
            # A second try is the pause's business, not the caller's.
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )

    async def start(self) -> None:
        if not await self._answers():
            self._leave("not reached")

    async def aclose(self) -> None:
        """Send what was written behind, then disconnect."""
        await self.flush()
        if self._watch is not None:
            await ended(self._watch)
        with suppress(RedisError, OSError):
            await self._redis.aclose()

    async def flush(self) -> None:
        while self._tasks or self._sending is not None:
            await asyncio.sleep(0)
            tasks = [*self._tasks, *([self._sending] if self._sending else [])]
            await asyncio.gather(*tasks, return_exceptions=True)

    async def call(
        self, script: Script, keys: Sequence[str], arguments: Sequence[str | int | float]
    ) -> Any:
        """Answer what the script answers, from JSON. Raises Away.

        The script runs even if its caller is cancelled meanwhile.
        """
        return await asyncio.shield(self.sent(script, keys, arguments))

    def sent(
        self, script: Script, keys: Sequence[str], arguments: Sequence[str | int | float]
    ) -> asyncio.Future[Any]:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if not self.is_up:
            answer.set_exception(Away())
            return answer
        self._waiting.append(_Call(script, [PREFIX + key for key in keys], arguments, answer))
        if self._sending is None:
            self._sending = asyncio.create_task(self._send(), name="redis")
        return answer

    def behind(self, work: Any) -> None:
        """Run a coroutine that nobody waits for."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def members(self, index: str) -> list[str]:
        """List a sorted set. Raises Away."""
        if not self.is_up:
            raise Away
        try:
            async with asyncio.timeout(self.patience_s):
                return [str(each) for each in await self._redis.zrange(PREFIX + index, 0, -1)]
        except (RedisError, OSError, TimeoutError) as fault:
            self._leave(type(fault).__name__)
            raise Away from fault

    async def _send(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                await self._run(batch)
        finally:
            self._sending = None

    async def _run(self, batch: list[_Call]) -> None:
        try:
            async with asyncio.timeout(self.patience_s):
                answers = await self._answered(batch)
                lost = [
                    place for place, each in enumerate(answers) if isinstance(each, NoScriptError)
                ]
                if lost:
                    # The server was restarted, and nobody noticed.
                    self._shas.clear()
                    again = await self._answered([batch[place] for place in lost])
                    for place, each in zip(lost, again, strict=True):
                        answers[place] = each
        except (RedisError, OSError, TimeoutError) as fault:
            self._leave(type(fault).__name__)
            answers = [Away()] * len(batch)
        for call, answer in zip(batch, answers, strict=True):
            self._give(call, answer)

    async def _answered(self, batch: list[_Call]) -> list[Any]:
        for script in {call.script.text for call in batch} - self._shas.keys():
            self._shas[script] = await self._redis.script_load(script)
        pipe = self._redis.pipeline(transaction=False)
        for call in batch:
            sha = self._shas[call.script.text]
            pipe.evalsha(sha, len(call.keys), *call.keys, *call.arguments)
        return list(await pipe.execute(raise_on_error=False))

    def _give(self, call: _Call, answer: Any) -> None:
        if isinstance(answer, Away):
            call.answer.set_exception(answer)
            # Nobody may wait any more.
            call.answer.exception()
        elif isinstance(answer, Exception):
            # Out of memory, read-only, a script that fails: of no use to us either.
            self._leave(f"{type(answer).__name__}: {answer}")
            call.answer.set_exception(Away())
            call.answer.exception()
        else:
            call.answer.set_result(json.loads(answer))

    def _leave(self, why: str) -> None:
        if self._watch is not None and not self._watch.done():
            return
        log.warning("redis_away", fault=why)
        self.is_up = False
        self._watch = asyncio.create_task(self._until_it_is_back(), name="redis-watch")
        self.went()

    async def _until_it_is_back(self) -> None:
        while True:
            await asyncio.sleep(self.pause_s)
            # A connection that was left in the middle of an answer is of no use.
            with suppress(RedisError, OSError):
                await self._redis.connection_pool.disconnect()
            if await self._answers():
                log.info("redis_back")
                self.came()
                return

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(self.patience_s):
                await self._redis.ping()
        except (RedisError, OSError, TimeoutError):
            return False
        self._shas.clear()
        self.is_up = True
        return True
