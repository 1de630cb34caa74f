"""A process that comes to a named point of a prompt, says so, and stands there to be killed."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from multiprocessing.connection import Connection
from typing import Any, Literal

from django.conf import settings

if not settings.configured:
    settings.configure(USE_TZ=True)

from providers.engine.call import Caller, Source
from providers.engine.events import TextDelta
from providers.engine.usage import Price, Usage
from providers.ledger.pool import Pool, connect
from providers.ledger.postgres import PostgresLedger
from tests.engine.conftest import an_engine
from tests.fakes import Recorder, Script, a_deployment, a_request, a_route, an_answer

# Ten dollars a token that is written: a bound of 3 holds 30 dollars, 2 tokens cost 20.
DEAR = a_deployment(price=Price(Decimal(0), Decimal(10_000_000), "test"), max_output_tokens=3)
HELD, COST = 30, 20


class Point(StrEnum):
    BEFORE_INTENT = "before intent"
    AFTER_INTENT = "after intent"
    BEFORE_FIRST_BYTE = "before first byte"
    IN_MID_STREAM = "in mid-stream"
    BEFORE_SETTLE = "before settle"
    AFTER_SETTLE = "after settle, not yet told"
    ENDED = "ended"


@dataclass
class Stand:
    """`at` the point it says so and stays; nothing else of the process goes on."""

    point: Point
    said: Connection

    def at(self, point: Point) -> None:
        if point is self.point:
            self.said.send(point.value)
            signal.pause()


@dataclass
class Door:
    """Stands between a ledger and its pool, and knows what passes."""

    pool: Pool
    stand: Stand

    @asynccontextmanager
    async def connection(self, timeout: float | None = None) -> AsyncIterator[Any]:
        async with self.pool.connection(timeout) as connection:
            yield _Line(connection.execute, self.stand)

    async def close(self) -> None:
        await self.pool.close()


@dataclass
class _Line:
    sent: Callable[..., Any]
    stand: Stand

    async def execute(self, query: str, arguments: Any) -> Any:
        is_hold, is_settlement = "ledger_reserve" in query, "ledger_settle" in query
        if is_hold:
            self.stand.at(Point.BEFORE_INTENT)
        if is_settlement:
            self.stand.at(Point.BEFORE_SETTLE)
        cursor = await self.sent(query, arguments)
        if is_hold:
            self.stand.at(Point.AFTER_INTENT)
        if is_settlement:
            self.stand.at(Point.AFTER_SETTLE)
        return cursor


def prompt_until(point: Point, conninfo: str, team_id: int, said: Connection) -> None:
    asyncio.run(_prompt(Stand(point, said), conninfo, team_id))


async def _prompt(stand: Stand, conninfo: str, team_id: int) -> None:
    script = Script()
    script.plays_for(DEAR, [_FirstByte(stand), *an_answer("One", " two", usage=Usage(5, 2))])
    ledger = PostgresLedger(Door(await connect(conninfo), stand))  # type: ignore[arg-type]
    engine = an_engine(script, ledger, Recorder())  # type: ignore[arg-type]
    caller = Caller(Source.GATEWAY, team_id=team_id)
    opened = engine.open(a_request(max_output_tokens=3), caller, a_route(DEAR))
    async with opened as answer:
        async for event in answer.events:
            if isinstance(event, TextDelta):
                stand.at(Point.IN_MID_STREAM)
    await ledger.aclose()
    stand.at(Point.ENDED)


class _FirstByte(asyncio.Event):
    """What a script waits for before it plays anything."""

    def __init__(self, stand: Stand) -> None:
        super().__init__()
        self.stand = stand

    async def wait(self) -> Literal[True]:
        self.stand.at(Point.BEFORE_FIRST_BYTE)
        return True
