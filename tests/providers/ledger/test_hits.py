"""Answers of the cache in the books: they cost nothing, and what they saved is known."""

from __future__ import annotations

from uuid import uuid4

from providers.engine.call import Call, Caller, Hit, Source, Tier
from providers.engine.request import CompletionRequest
from providers.engine.routes import Route
from providers.engine.usage import Usage
from providers.ledger import check
from providers.ledger.postgres import PostgresLedger
from providers.ledger.receipts import Receipt, of_request
from tests.providers.ledger.ledgers import DEPLOYMENT, Books, aside, attempt, dollars, intent


def a_hit(team: int, saved: float | None = 3) -> Call:
    caller = Caller(Source.GATEWAY, user_id=None, team_id=team)
    call = Call(
        CompletionRequest(uuid4(), "default", ()), caller, Route("default", (DEPLOYMENT,)), 0.0
    )
    saved_nano = None if saved is None else dollars(saved)
    call.hit = Hit(DEPLOYMENT, Tier.LOCAL, 5.0, Usage(1, 2), saved_nano)
    return call


async def booked(ledger: PostgresLedger, *calls: Call) -> None:
    for call in calls:
        ledger.note_hit(call, attempt(3, number=0))
    await ledger._hits.drained(5)


async def test_a_hit_is_an_entry_that_costs_nothing_with_what_it_saved(
    ledger: PostgresLedger, books: Books
) -> None:
    team = books.team()
    await booked(ledger, a_hit(team), a_hit(team, saved=None))
    rows = books.all(
        "SELECT cost_nano, saved_nano, is_cached, attempt, team_id, provider, output_tokens"
        " FROM providers_entry ORDER BY saved_nano"
    )
    assert rows == [
        (0, dollars(3), True, 0, team, "acme", 3),
        (0, None, True, 0, team, "acme", 3),
    ]


async def test_hits_leave_budgets_alone_and_the_books_clean(
    ledger: PostgresLedger, books: Books
) -> None:
    budget = books.budget(10)
    team = books.team()
    paid = await ledger.reserve(intent(1))
    await booked(ledger, *(a_hit(team) for _ in range(20)))
    await ledger.settle(paid, [attempt(1)])
    assert books.counters(budget) == (1, 0)
    assert books.one("SELECT count(*) FROM providers_entry WHERE is_cached") == 20
    result = await aside(check.run)
    assert result.is_clean, result


async def test_a_hit_booked_twice_is_one_entry(ledger: PostgresLedger, books: Books) -> None:
    call = a_hit(books.team())
    await booked(ledger, call)
    await booked(ledger, call)
    assert books.one("SELECT count(*) FROM providers_entry") == 1
    assert await aside(of_request, call.id) == Receipt(0, is_unconfirmed=False)
