"""Tags in the books: on holds and entries, and budgets of a tag."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from providers.engine.call import Caller, Source
from providers.engine.errors import BudgetExceeded
from providers.ledger import balances, budgets, check, corrections, recovery
from providers.ledger.postgres import PostgresLedger
from tests.providers.ledger.ledgers import Books, aside, attempt, dollars, intent
from tests.providers.ledger.test_hits import a_hit, booked

PLAIN = Caller(Source.GATEWAY, 1)
TAGGED = replace(PLAIN, tag="checkout/v2")


def a_budget(limit: int, name: str = "checkout/v2") -> None:
    scope = budgets.parse_scope(f"tag:{name}")
    budgets.set_budget(scope=scope, limit_usd=Decimal(limit), period="month", is_hard=True)


async def test_every_kind_of_entry_has_the_tag_of_its_request(
    ledger: PostgresLedger, books: Books
) -> None:
    settled = await ledger.reserve(intent(5, TAGGED))
    await ledger.settle(settled, [attempt(3), attempt(1, 2)])
    await ledger.reserve(intent(2, TAGGED, ttl_s=-1))
    hit = a_hit(books.team())
    hit.caller = replace(hit.caller, tag=TAGGED.tag)
    await booked(ledger, hit)
    await aside(recovery.expire, books.one("SELECT now()"))
    await aside(corrections.correct, settled.id, Decimal(5), "as billed")
    found = books.all("SELECT status, tag FROM providers_entry ORDER BY cost_nano")
    assert sorted(found) == sorted(
        (status, TAGGED.tag) for status in ("ok", "ok", "ok", "expired", "correction")
    )
    assert books.all("SELECT DISTINCT tag FROM providers_reservation") == [(TAGGED.tag,)]


async def test_a_budget_of_a_tag_binds_what_carries_it_and_nothing_else(
    ledger: PostgresLedger, books: Books
) -> None:
    await aside(a_budget, 5)
    await ledger.reserve(intent(4, TAGGED))
    with pytest.raises(BudgetExceeded, match=r"monthly budget of tag checkout/v2 \(\$5"):
        await ledger.reserve(intent(2, TAGGED))
    await ledger.reserve(intent(50, PLAIN))
    await ledger.reserve(intent(50, replace(PLAIN, tag="checkout")))
    assert books.counters() == (0, 4)


async def test_it_knows_what_the_tag_has_cost_before_it_was_set_and_what_is_in_flight(
    ledger: PostgresLedger, books: Books
) -> None:
    await ledger.settle(await ledger.reserve(intent(5, TAGGED)), [attempt(3)])
    await ledger.settle(await ledger.reserve(intent(5, PLAIN)), [attempt(4)])
    await ledger.reserve(intent(2, TAGGED))
    await aside(a_budget, 10)
    assert books.counters() == (3, 2)
    assert (await aside(check.run)).is_clean


async def test_a_correction_moves_the_budget_of_its_tag_alone(
    ledger: PostgresLedger, books: Books
) -> None:
    held = await ledger.reserve(intent(5, TAGGED))
    await ledger.settle(held, [attempt(3)])
    await aside(a_budget, 10)
    await aside(a_budget, 10, "other")
    await aside(corrections.correct, held.id, Decimal(4), "as billed")
    (own,) = await aside(balances.for_caller, tag=TAGGED.tag)
    assert own.spent_nano == dollars(4)
    assert books.counters() == (4, 0)


@pytest.mark.parametrize("name", ["", "two words", "-first", "a" * 65, "ünï"])
def test_what_is_no_tag_is_refused_with_the_rule(books: Books, name: str) -> None:
    with pytest.raises(budgets.InvalidBudget) as fault:
        a_budget(1, name)
    assert fault.value.field == "scope"
