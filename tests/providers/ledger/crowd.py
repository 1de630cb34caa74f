"""A process that spends money with hundreds of requests at once, and fails in many ways.

What a request asks and does is a pure function of (seed, process, number), so that whoever reads
the books knows what must be in them. What a process was told it writes into a journal, line by
line, which survives its death.
"""

from __future__ import annotations

import asyncio
import os
import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from multiprocessing.connection import Connection
from pathlib import Path
from uuid import UUID

from django.conf import settings

if not settings.configured:
    settings.configure(USE_TZ=True)

from providers.engine.call import AttemptRecord, AttemptStatus, Caller, Source
from providers.engine.errors import BudgetExceeded
from providers.engine.ports import Intent, Reservation
from providers.engine.routes import Deployment
from providers.engine.usage import Price, Usage
from providers.ledger.pool import connect
from providers.ledger.postgres import PostgresLedger

PARALLEL = 500
MOST_NANO = 40_000_000
# A thousandth of a dollar for a million tokens: a token costs one nano-dollar.
PRICE = Price(Decimal("0.001"), Decimal("0.001"), "test")
DEPLOYMENT = Deployment(
    1, "acme", "demo", "large", "", price=PRICE, max_output_tokens=1_000_000_000
)


class Fate(StrEnum):
    """How a request goes on once it is admitted."""

    SETTLED = "settled"
    REFUSED_UPSTREAM = "refused upstream"
    CUT_WITHOUT_USAGE = "cut without usage"
    TRIED_TWICE = "tried twice"
    NEVER_SENT = "never sent"
    LEFT_WHILE_ASKING = "left while asking"
    LEFT_WHILE_SETTLING = "left while settling"
    FORGOTTEN = "forgotten"


WEIGHTS = {
    Fate.SETTLED: 50,
    Fate.REFUSED_UPSTREAM: 10,
    Fate.CUT_WITHOUT_USAGE: 1,
    Fate.TRIED_TWICE: 10,
    Fate.NEVER_SENT: 10,
    Fate.LEFT_WHILE_ASKING: 10,
    Fate.LEFT_WHILE_SETTLING: 8,
    Fate.FORGOTTEN: 1,
}


@dataclass(frozen=True)
class Payer:
    """The scopes that pay for a request, besides the organisation."""

    team_id: int
    user_id: int
    key_id: int


@dataclass(frozen=True)
class Crowd:
    conninfo: str
    seed: int
    payers: tuple[Payer, ...]


@dataclass(frozen=True)
class Plan:
    """`first_nano` and `second_nano` are what the attempts cost, at most `worst` and `extra`."""

    id: UUID
    payer: Payer
    fate: Fate
    worst_nano: int
    extra_nano: int
    first_nano: int
    second_nano: int
    turns: int
    pause_s: float

    def cost_nano(self, held_nano: int) -> int | None:
        """Say what must be booked of a hold; None: nothing, it is only freed."""
        match self.fate:
            case Fate.NEVER_SENT | Fate.LEFT_WHILE_ASKING:
                return None
            case Fate.REFUSED_UPSTREAM:
                return 0
            case Fate.CUT_WITHOUT_USAGE | Fate.FORGOTTEN:
                return held_nano
            case Fate.TRIED_TWICE if held_nano > self.worst_nano:
                return self.first_nano + self.second_nano
        return self.first_nano


def plan(crowd: Crowd, process: int, number: int) -> Plan:
    pick = random.Random(f"{crowd.seed}/{process}/{number}")
    worst, extra = pick.randint(1, MOST_NANO), pick.randint(1, MOST_NANO)
    return Plan(
        id=UUID(int=crowd.seed << 96 | process << 64 | number),
        payer=pick.choice(crowd.payers),
        fate=pick.choices(list(WEIGHTS), list(WEIGHTS.values()))[0],
        worst_nano=worst,
        extra_nano=extra,
        first_nano=pick.randint(0, worst),
        second_nano=pick.randint(0, extra),
        turns=pick.randint(0, 30),
        pause_s=pick.random() / 50,
    )


def number_of(id: UUID) -> tuple[int, int]:
    """Which process made it, and its number there."""
    return id.int >> 64 & 0xFFFFFFFF, id.int & 0xFFFFFFFF


class Process:
    """Asks `count` times, PARALLEL at a time. Journal: `A` admitted, `R` refused, `S` settled."""

    def __init__(self, crowd: Crowd, number: int, journal: Path) -> None:
        self._crowd = crowd
        self._number = number
        self._journal = os.open(journal, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)

    async def spend(self, count: int) -> None:
        ledger = PostgresLedger(await connect(self._crowd.conninfo))
        numbers = iter(range(count))

        async def one_after_the_other() -> None:
            for number in numbers:
                await self._live(ledger, number)

        await asyncio.gather(*(one_after_the_other() for _ in range(PARALLEL)))
        await ledger.aclose()

    async def fill(self, numbers: range) -> None:
        """Hold whatever fits, and free nothing."""
        ledger = PostgresLedger(await connect(self._crowd.conninfo))
        await asyncio.gather(*(self._hold(ledger, number) for number in numbers))
        await ledger.aclose()

    async def _live(self, ledger: PostgresLedger, number: int) -> None:
        mine = plan(self._crowd, self._number, number)
        leaves = mine.fate is Fate.LEFT_WHILE_ASKING
        asking = asyncio.create_task(self._hold(ledger, number))
        held = await _left(asking, mine.turns) if leaves else await asking
        if held is None:
            await asyncio.sleep(mine.pause_s)
            return
        await asyncio.sleep(mine.pause_s)
        if mine.fate is Fate.FORGOTTEN:
            return
        held, attempts = await _attempts(ledger, held, mine)
        settling = asyncio.create_task(ledger.settle(held, attempts))
        if mine.fate is Fate.LEFT_WHILE_SETTLING:
            # Taken over before the first wait, so the task must have begun.
            await _left(settling, mine.turns + 1)
            return
        await settling
        if attempts:
            # A hold that is only freed is freed in the background.
            self._note("S", number)

    async def _hold(self, ledger: PostgresLedger, number: int) -> Reservation | None:
        mine = plan(self._crowd, self._number, number)
        payer = mine.payer
        caller = Caller(Source.GATEWAY, payer.user_id, payer.team_id, payer.key_id)
        try:
            held = await ledger.reserve(Intent(mine.id, caller, "default", mine.worst_nano, 900))
        except BudgetExceeded:
            self._note("R", number)
            return None
        self._note("A", number)
        return held

    def _note(self, what: str, number: int) -> None:
        os.write(self._journal, f"{what}{number}\n".encode())


async def _attempts(
    ledger: PostgresLedger, held: Reservation, mine: Plan
) -> tuple[Reservation, list[AttemptRecord]]:
    first = AttemptRecord(1, DEPLOYMENT, datetime.now(UTC), mine.worst_nano, AttemptStatus.OK)
    match mine.fate:
        case Fate.NEVER_SENT | Fate.LEFT_WHILE_ASKING:
            return held, []
        case Fate.REFUSED_UPSTREAM:
            return held, [replace(first, status=AttemptStatus.FAILED, http_status=503)]
        case Fate.CUT_WITHOUT_USAGE:
            return held, [replace(first, status=AttemptStatus.CUT, may_be_billed=True)]
    first.usage = Usage(mine.first_nano, 0)
    if mine.fate is not Fate.TRIED_TWICE:
        return held, [first]
    return await _tried_again(ledger, held, mine, first)


async def _tried_again(
    ledger: PostgresLedger, held: Reservation, mine: Plan, first: AttemptRecord
) -> tuple[Reservation, list[AttemptRecord]]:
    first.status, first.may_be_billed = AttemptStatus.CUT, True
    try:
        held = await ledger.top_up(held, mine.extra_nano)
    except BudgetExceeded:
        return held, [first]
    second = replace(first, number=2, status=AttemptStatus.OK, usage=Usage(mine.second_nano, 0))
    return held, [first, second]


async def _left(task: asyncio.Task[Reservation | None], turns: int) -> Reservation | None:
    """Cancel it after so many turns of the loop; what it answered all the same, if it did."""
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    return None if task.cancelled() else task.result()


def live(crowd: Crowd, number: int, journal: Path, count: int, orders: Connection) -> None:
    """Spend, say so, and fill what is left with other numbers when told to."""
    process = Process(crowd, number, journal)
    asyncio.run(process.spend(count))
    orders.send("spent")
    first, last = orders.recv()
    asyncio.run(process.fill(range(first, last)))
    orders.send("filled")
    orders.recv()
