"""Law 1: no admission makes spent + held > limit, whatever happens at the same time."""

from __future__ import annotations

import asyncio
import random
import sys

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.engine.call import Caller, Source
from providers.engine.errors import BudgetExceeded
from providers.engine.ports import Reservation
from providers.ledger import check, recovery
from providers.ledger.pool import connect
from providers.ledger.postgres import PostgresLedger
from tests.providers.ledger.ledgers import Books, aside, attempt, dollars, intent

OVERSPENT = """
SELECT count(*) FROM providers_budgetwindow w JOIN providers_budget b ON b.id = w.budget_id
WHERE b.is_hard AND w.spent_nano + w.held_nano > b.limit_nano
"""

# A call: which team, its worst case, its cost as a share of it, and how it ends.
CALLS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, 40),
        st.floats(0, 1),
        st.sampled_from(["settled", "left", "never sent", "expired"]),
    ),
    min_size=1,
    max_size=40,
)


async def one_call(
    ledger: PostgresLedger, team: int | None, worst: int, share: float, end: str
) -> int:
    """Answer the cost that the ledger must have booked, in dollars."""
    caller = Caller(Source.GATEWAY, team, team, team)
    asking = asyncio.create_task(
        ledger.reserve(intent(worst, caller, ttl_s=-1 if end == "expired" else 60))
    )
    if end == "left":
        await asyncio.sleep(0)
        asking.cancel()
    try:
        held = await asking
    except (BudgetExceeded, asyncio.CancelledError):
        return 0
    if end == "expired":
        return worst
    cost = int(worst * share) if end == "settled" else 0
    await ledger.settle(held, [attempt(cost)] if end == "settled" else [])
    return cost


@pytest.fixture
def teams(books: Books) -> list[int | None]:
    """One team with a tight budget, one with a wide one, and callers without a team."""
    tight, wide = books.team(), books.team("Wide")
    books.budget(120)
    books.budget(40, "team", team_id=tight)
    books.budget(60, "team", team_id=tight, period="day", is_hard=False)
    books.budget(90, "team", team_id=wide)
    return [None, tight, wide]


def test_any_mix_of_calls_stays_within_every_hard_budget(
    teams: list[int | None], books: Books, conninfo: str
) -> None:
    @settings(
        max_examples=25,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(CALLS)
    def holds(calls: list[tuple[int, int, float, str]]) -> None:
        books.own.execute("UPDATE providers_budgetwindow SET spent_nano = 0, opening_nano = 0")
        books.own.execute(
            "DELETE FROM providers_reservation; DELETE FROM providers_entry;"
            " DELETE FROM providers_spendquarter; DELETE FROM providers_spendday"
        )
        asyncio.run(play(calls))

    async def play(calls: list[tuple[int, int, float, str]]) -> None:
        ledger = PostgresLedger(await connect(conninfo))
        costs = await asyncio.gather(
            *(one_call(ledger, teams[team], *rest) for team, *rest in calls)
        )
        await ledger.aclose()
        assert books.one(OVERSPENT) == 0
        await aside(expire_now)
        assert books.one(OVERSPENT) == 0
        result = await aside(check.run)
        assert result.differences == ()
        booked = books.one("SELECT coalesce(sum(cost_nano), 0) FROM providers_entry")
        assert booked == dollars(sum(costs))
        assert books.counters()[1] == 0

    holds()


def expire_now() -> int:
    return recovery.expire(timezone.now())


async def test_room_is_used_up_to_the_last_request_that_fits(
    ledger: PostgresLedger, books: Books
) -> None:
    books.budget(100)
    pick = random.Random(3)
    asked = [pick.randrange(1, 30) for _ in range(60)]
    answers = await asyncio.gather(
        *(ledger.reserve(intent(worst)) for worst in asked), return_exceptions=True
    )
    left = 100
    for worst, answer in zip(asked, answers, strict=True):
        assert isinstance(answer, Reservation) == (worst <= left)
        left -= worst if worst <= left else 0


RACER = """
import asyncio, sys
from django.conf import settings
settings.configure(USE_TZ=True)
from providers.engine.errors import BudgetExceeded
from providers.ledger.pool import connect
from providers.ledger.postgres import PostgresLedger
from tests.providers.ledger.ledgers import attempt, intent

async def main():
    ledger = PostgresLedger(await connect(sys.argv[1]))
    admitted = 0
    async def one(number):
        nonlocal admitted
        try:
            held = await ledger.reserve(intent(2))
        except BudgetExceeded:
            return
        admitted += 1
        await ledger.settle(held, [attempt(1)])
    sys.stdin.readline()
    await asyncio.gather(*(one(number) for number in range(200)))
    await ledger.aclose()
    print(admitted)

asyncio.run(main())
"""


async def test_processes_that_race_for_one_budget_never_overspend_it(
    books: Books, conninfo: str
) -> None:
    budget = books.budget(100)
    racers = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            RACER,
            conninfo,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(3)
    ]
    finished = asyncio.gather(*(racer.communicate(b"go\n") for racer in racers))
    sampled = 0
    while not finished.done():
        assert books.one(OVERSPENT) == 0
        sampled += 1
        await asyncio.sleep(0.002)
    admitted = [int(out) for out, _ in await finished]
    assert sampled > 10
    assert books.counters(budget) == (sum(admitted), 0)
    assert sum(admitted) <= 100
    # Each hold is twice its cost, so the last dollar cannot be held.
    assert sum(admitted) >= 50
    assert (await aside(check.run)).is_clean
