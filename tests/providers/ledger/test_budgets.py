from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from providers.engine.call import Caller, Source
from providers.engine.errors import BudgetExceeded
from providers.ledger import balances, budgets, check
from providers.ledger.postgres import PostgresLedger
from tests.providers.ledger.ledgers import Books, aside, attempt, dollars, intent


def command(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_setting_a_budget_twice_makes_one(books: Books) -> None:
    for limit in ("20", "30"):
        words = command("budget", "set", "--scope", "org", "--limit", limit)
    assert "The monthly budget of the organisation is $30.00 (hard limit, resets" in words
    assert books.all("SELECT limit_nano FROM providers_budget") == [(dollars(30),)]


def test_the_command_speaks_json(books: Books) -> None:
    team = books.team()
    facts = json.loads(
        command("budget", "set", "--scope", "team:search", "--limit", "2.5", "--soft", "--json")
    )
    assert facts["name"] == "monthly budget of team Search"
    assert (facts["limit_usd"], facts["spent_usd"], facts["is_hard"]) == ("2.5", "0", False)
    assert books.one("SELECT team_id FROM providers_budget") == team


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--scope", "team:Ghost", "--limit", "1"], "--scope: There is no team 'Ghost'. Teams: S"),
        (["--scope", "tribe:x", "--limit", "1"], "--scope: Unknown scope 'tribe:x'. Use org, "),
        (["--scope", "user:a@b.c", "--limit", "1"], "member add --email a@b.c --team TEAM --role"),
        (["--scope", "key:gai_x", "--limit", "1"], "no key with the prefix 'gai_x'"),
        (["--scope", "org", "--limit", "ten"], "--limit: 'ten' is not an amount of dollars"),
        (["--scope", "org", "--limit", "-1"], "--limit: The limit must lie between"),
        (["--scope", "org", "--limit", "nan"], "--limit: The limit must lie between"),
        (["--scope", "org", "--limit", "1", "--period", "year"], "Unknown period 'year'. Use day"),
        (["--scope", "org", "--limit", "1", "--time-zone", "Mars"], "--time-zone: Unknown time"),
    ],
)
def test_a_fault_names_the_argument_and_the_way_out(
    books: Books, arguments: list[str], words: str
) -> None:
    books.team()
    with pytest.raises(CommandError) as fault:
        command("budget", "set", *arguments)
    assert words in str(fault.value)


async def test_a_budget_set_in_mid_window_knows_what_was_spent_and_what_is_in_flight(
    ledger: PostgresLedger, books: Books
) -> None:
    team, other = books.team(), books.team("Other")
    caller = Caller(Source.GATEWAY, 1, team)
    await ledger.settle(await ledger.reserve(intent(5, caller)), [attempt(3)])
    await ledger.settle(
        await ledger.reserve(intent(5, Caller(Source.GATEWAY, 1, other))), [attempt(4)]
    )
    flying = await ledger.reserve(intent(2, caller))
    await aside(_set, "team:Search", 10)
    assert books.counters() == (3, 2)
    with pytest.raises(BudgetExceeded):
        await ledger.reserve(intent(6, caller))
    await ledger.settle(flying, [attempt(1)])
    assert books.counters() == (4, 0)
    assert (await aside(check.run)).is_clean


async def test_a_limit_below_what_is_spent_is_allowed_and_shown(
    ledger: PostgresLedger, books: Books
) -> None:
    await aside(_set, "org", 10)
    await ledger.settle(await ledger.reserve(intent(5)), [attempt(5)])
    await aside(_set, "org", 2)
    (balance,) = await aside(balances.for_caller)
    assert (balance.limit_nano, balance.spent_nano) == (dollars(2), dollars(5))
    assert (balance.left_nano, balance.used_percent) == (0, 100)


async def test_a_new_window_begins_with_nothing_and_the_old_hold_stays_where_it_was(
    books: Books, conninfo: str
) -> None:
    from providers.ledger.pool import connect

    books.budget(10, period="day")
    clock = [datetime(2026, 3, 1, 23, 59, tzinfo=UTC)]
    ledger = PostgresLedger(await connect(conninfo), now=lambda: clock[0])
    late = await ledger.reserve(intent(9))
    clock[0] += timedelta(minutes=2)
    await ledger.reserve(intent(9))
    await ledger.settle(late, [attempt(8, started_at=clock[0])])
    await ledger.aclose()
    assert books.all(
        "SELECT starts_at::date::text, spent_nano, held_nano FROM providers_budgetwindow ORDER BY 1"
    ) == [("2026-03-01", dollars(8), 0), ("2026-03-02", 0, dollars(9))]


def test_a_caller_sees_the_budgets_that_bind_it_and_no_other(books: Books) -> None:
    team, other = books.team(), books.team("Other")
    _set("org", 100)
    _set("team:Search", 10)
    _set("team:Other", 10)
    names = [balance.name for balance in balances.for_caller(team_id=team)]
    assert names == ["monthly budget of the organisation", "monthly budget of team Search"]
    assert len(balances.all()) == 3
    assert other


def test_the_check_command_tells_by_its_exit_code(books: Books) -> None:
    _set("org", 100)
    assert command("ledger", "check").startswith("The books are right: 1 windows compared")
    books.own.execute("UPDATE providers_budgetwindow SET spent_nano = 1")
    with pytest.raises(SystemExit):
        command("ledger", "check", "--json")


def _set(scope: str, limit: int) -> None:
    budgets.set_budget(
        scope=budgets.parse_scope(scope), limit_usd=Decimal(limit), period="month", is_hard=True
    )
