from __future__ import annotations

import asyncio

import pytest

from providers.engine.call import Caller, Source
from providers.engine.errors import BudgetExceeded, Unpriced
from providers.engine.ports import Reservation
from providers.ledger.postgres import PostgresLedger
from tests.providers.ledger.ledgers import Books, attempt, dollars, intent


async def admitted(ledger: PostgresLedger, *worsts: float) -> list[bool]:
    answers = await asyncio.gather(
        *(ledger.reserve(intent(worst)) for worst in worsts), return_exceptions=True
    )
    assert all(isinstance(answer, Reservation | BudgetExceeded) for answer in answers), answers
    return [isinstance(answer, Reservation) for answer in answers]


async def test_a_hold_is_committed_before_reserve_returns(
    ledger: PostgresLedger, books: Books
) -> None:
    books.budget(10)
    held = await ledger.reserve(intent(4))
    assert held.held_nano == dollars(4)
    assert books.counters() == (0, 4)
    assert books.open() == {held.id}


async def test_without_a_budget_the_intent_is_written_and_nothing_is_held(
    ledger: PostgresLedger, books: Books
) -> None:
    held = await ledger.reserve(intent(4))
    assert held.held_nano == 0
    assert books.open() == {held.id}


async def test_64_in_parallel_against_room_for_ten_admit_exactly_ten(
    ledger: PostgresLedger, books: Books
) -> None:
    books.budget(10.5)
    assert sum(await admitted(ledger, *[1.0] * 64)) == 10
    assert books.counters() == (0, 10)


async def test_who_does_not_fit_takes_no_room_from_who_comes_later(
    ledger: PostgresLedger, books: Books
) -> None:
    books.budget(100)
    await ledger.reserve(intent(20))
    assert await admitted(ledger, 90, 10, 10) == [False, True, True]


async def test_all_scopes_or_none(ledger: PostgresLedger, books: Books) -> None:
    team = books.team()
    whole = books.budget(100)
    small = books.budget(5, "team", team_id=team)
    caller = Caller(Source.GATEWAY, 1, team, 1)
    with pytest.raises(BudgetExceeded):
        await ledger.reserve(intent(6, caller))
    assert books.counters(whole) == (0, 0)
    await ledger.reserve(intent(4, caller))
    assert books.counters(whole) == books.counters(small) == (0, 4)


async def test_another_teams_budget_does_not_count(ledger: PostgresLedger, books: Books) -> None:
    books.budget(1, "team", team_id=books.team())
    await ledger.reserve(intent(50, Caller(Source.GATEWAY, 1, books.team("Other"))))
    assert books.counters() == (0, 0)


async def test_a_refusal_names_the_budget_what_is_left_the_reset_and_the_way_out(
    ledger: PostgresLedger, books: Books
) -> None:
    team = books.team()
    books.budget(200, "team", team_id=team)
    with pytest.raises(BudgetExceeded) as refusal:
        await ledger.reserve(intent(201, Caller(Source.GATEWAY, 1, team)))
    words = refusal.value.message
    assert words.startswith("The monthly budget of team Search ($200.00) has $200.00 left")
    for part in ("up to $201.00", "resets on 1 ", "Nothing was charged", "max_tokens", "owner"):
        assert part in words
    assert refusal.value.resets_at is not None


async def test_a_soft_budget_counts_and_never_refuses(ledger: PostgresLedger, books: Books) -> None:
    books.budget(1, is_hard=False)
    await ledger.reserve(intent(5))
    assert books.counters() == (0, 5)


async def test_an_unknown_price_is_refused_under_a_hard_budget(
    ledger: PostgresLedger, books: Books
) -> None:
    books.budget(1)
    with pytest.raises(Unpriced, match="no known price, and the monthly budget of the organ"):
        await ledger.reserve(intent(None))


async def test_an_unknown_price_without_hard_budget_holds_nothing(
    ledger: PostgresLedger, books: Books
) -> None:
    books.budget(1, is_hard=False)
    assert (await ledger.reserve(intent(None))).held_nano == 0
    assert books.one("SELECT held_nano FROM providers_reservation") is None


async def test_what_costs_nothing_passes_a_budget_that_is_overdrawn(
    ledger: PostgresLedger, books: Books
) -> None:
    budget = books.budget(5)
    held = await ledger.reserve(intent(5))
    await ledger.settle(held, [attempt(5)])
    books.own.execute("UPDATE providers_budget SET limit_nano = 1 WHERE id = %s", (budget,))
    await ledger.reserve(intent(0))
    with pytest.raises(BudgetExceeded, match="nothing left"):
        await ledger.reserve(intent(1))


async def test_a_top_up_holds_more_or_leaves_the_hold_as_it_was(
    ledger: PostgresLedger, books: Books
) -> None:
    books.budget(10)
    held = await ledger.top_up(await ledger.reserve(intent(4)), dollars(4))
    assert held.held_nano == dollars(8)
    with pytest.raises(BudgetExceeded):
        await ledger.top_up(held, dollars(4))
    assert books.counters() == (0, 8)
    await ledger.settle(held, [attempt(3), attempt(4, 2)])
    assert books.counters() == (7, 0)
