"""Budgets that have a cheaper route answer at their limit."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from providers.engine.call import Caller, Source
from providers.engine.errors import BudgetExceeded
from providers.engine.ports import Downgrade, Reservation
from providers.ledger import budgets, check
from providers.ledger.postgres import PostgresLedger
from providers.models import Budget
from tests.providers.ledger.ledgers import Books, aside, attempt, intent

CHEAP = {"is_hard": False, "degrade_to": "small"}


async def test_what_does_not_fit_is_led_to_the_cheaper_route_and_holds_nothing(
    ledger: PostgresLedger, books: Books
) -> None:
    books.budget(10, **CHEAP)
    assert isinstance(await ledger.reserve(intent(8)), Reservation)
    found = await ledger.reserve(intent(3))
    assert isinstance(found, Downgrade)
    assert (found.route, found.budget) == ("small", "monthly budget of the organisation")
    assert found.because.endswith("has $2.00 left of $10.00 and this request can cost up to $3.00")
    assert books.counters() == (0, 8)


async def test_on_the_cheaper_route_it_is_counted_also_beyond_the_limit(
    ledger: PostgresLedger, books: Books
) -> None:
    books.budget(10, **CHEAP)
    await ledger.settle(await ledger.reserve(intent(10)), [attempt(10)])
    found = await ledger.reserve(intent(3))
    assert isinstance(found, Downgrade)
    assert found.because == "The monthly budget of the organisation is used up"
    held = await ledger.reserve(replace(intent(3), is_degraded=True))
    assert isinstance(held, Reservation)
    await ledger.settle(held, [attempt(2)])
    assert books.counters() == (12, 0)
    assert (await aside(check.run)).is_clean


async def test_the_cheaper_route_is_subject_to_every_hard_budget(
    ledger: PostgresLedger, books: Books
) -> None:
    team = books.team()
    caller = Caller(Source.GATEWAY, 1, team)
    books.budget(5)
    books.budget(4, "team", team_id=team, **CHEAP)
    # The hard one is tighter than nothing here: the cheaper route has its chance first.
    assert isinstance(await ledger.reserve(intent(6, caller)), Downgrade)
    with pytest.raises(BudgetExceeded, match="budget of the organisation"):
        await ledger.reserve(replace(intent(6, caller), is_degraded=True))
    assert isinstance(
        await ledger.reserve(replace(intent(5, caller), is_degraded=True)), Reservation
    )


async def test_a_crowd_never_takes_a_hard_budget_past_its_limit_by_the_cheaper_route(
    ledger: PostgresLedger, books: Books
) -> None:
    hard, soft = books.budget(20), books.budget(5, period="day", **CHEAP)

    async def one() -> str:
        asked = intent(2)
        found = await ledger.reserve(asked)
        if isinstance(found, Downgrade):
            asked = replace(intent(1), is_degraded=True)
            try:
                await ledger.reserve(asked)
            except BudgetExceeded:
                return "refused"
            return "cheaper"
        return "full"

    ends = await asyncio.gather(*(one() for _ in range(40)))
    # Two at $2 fit into $5; what is left of $20 pays for 16 at $1.
    assert {word: ends.count(word) for word in set(ends)} == {
        "full": 2,
        "cheaper": 16,
        "refused": 22,
    }
    assert books.counters(hard) == books.counters(soft) == (0, 20)


async def test_without_a_price_the_cheaper_route_answers_too(
    ledger: PostgresLedger, books: Books
) -> None:
    books.budget(10, **CHEAP)
    assert isinstance(await ledger.reserve(intent(None)), Downgrade)
    unknown = replace(intent(None), is_degraded=True)
    assert isinstance(await ledger.reserve(unknown), Reservation)


def test_the_command_sets_the_manner_the_start_and_the_thresholds(books: Books) -> None:
    books.own.execute(
        "INSERT INTO providers_route (name, is_enabled, created_at) VALUES ('small', true, now())"
    )
    call_command(
        "budget", "set", "--scope", "org", "--limit", "5", "--period", "week",
        "--degrade-to", "small", "--starts-on", "Thursday", "--thresholds", "90,60%",
        "--time-zone", "Asia/Kathmandu",
    )  # fmt: skip
    row = Budget.objects.get()
    assert (row.is_hard, row.degrade_to, row.starts_on) == (False, "small", 4)
    assert (row.thresholds, row.time_zone) == ([60, 90], "Asia/Kathmandu")
    # What is not named stays; the manner is named each time.
    call_command("budget", "set", "--scope", "org", "--limit", "6", "--period", "week")
    row.refresh_from_db()
    assert (row.is_hard, row.degrade_to, row.starts_on, row.thresholds) == (True, "", 4, [60, 90])
    books.own.execute("DELETE FROM providers_route WHERE name = 'small'")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--degrade-to", "ghost"], "--degrade-to: There is no route 'ghost' in use. Known: "),
        (["--starts-on", "29"], "--starts-on: A month starts on a day from 1 to 28."),
        (["--starts-on", "noon"], "--starts-on: 'noon' is not a day"),
        (["--period", "week", "--starts-on", "8"], "from 1 to 7 (Monday is 1)"),
        (["--period", "day", "--starts-on", "2"], "A period of a day has no start day"),
        (["--thresholds", "0,50"], "--thresholds: Thresholds are at most 8 percents from 1"),
        (["--thresholds", "half"], "--thresholds: 'half' is not like"),
    ],
)
def test_a_fault_of_the_policy_names_its_argument(
    books: Books, arguments: list[str], words: str
) -> None:
    with pytest.raises(CommandError) as fault:
        call_command("budget", "set", "--scope", "org", "--limit", "1", *arguments)
    assert words in str(fault.value)


async def test_another_start_day_begins_a_window_that_knows_what_was_spent(
    ledger: PostgresLedger, books: Books
) -> None:
    await ledger.settle(await ledger.reserve(intent(5)), [attempt(3)])

    def put(starts_on: int) -> None:
        budgets.set_budget(
            scope=budgets.parse_scope("org"),
            limit_usd=Decimal(10),
            period="week",
            is_hard=True,
            policy=budgets.Policy(starts_on=starts_on),
        )

    for day in (1, 3, 5):
        await aside(put, day)
        assert books.all(
            "SELECT DISTINCT w.spent_nano > 0 FROM providers_budgetwindow w"
            " JOIN providers_budget b ON b.id = w.budget_id"
            " WHERE w.starts_at = ledger_window_start('week', 'UTC', b.starts_on, now())"
        ) == [(True,)]
    assert (await aside(check.run)).is_clean
