from __future__ import annotations

import asyncio

from providers.engine.call import AttemptStatus
from providers.engine.routes import Deployment
from providers.engine.usage import Usage
from providers.ledger.postgres import PostgresLedger
from tests.providers.ledger.ledgers import Books, attempt, intent


async def test_the_real_cost_is_booked_and_the_rest_of_the_hold_is_free(
    ledger: PostgresLedger, books: Books
) -> None:
    books.budget(10)
    await ledger.settle(await ledger.reserve(intent(4)), [attempt(3)])
    assert books.counters() == (3, 0)
    assert books.open() == set()


async def test_settling_twice_charges_once(ledger: PostgresLedger, books: Books) -> None:
    books.budget(10)
    held = await ledger.reserve(intent(4))
    await asyncio.gather(*(ledger.settle(held, [attempt(3)]) for _ in range(5)))
    await ledger.settle(held, [attempt(3)])
    assert books.counters() == (3, 0)
    assert books.costs() == [3]


async def test_every_attempt_has_a_row(ledger: PostgresLedger, books: Books) -> None:
    held = await ledger.reserve(intent(4))
    refused = attempt(
        None, status=AttemptStatus.FAILED, error_code="upstream_unavailable", http_status=503
    )
    await ledger.settle(held, [refused, attempt(2, 2)])
    assert books.costs() == [0, 2]
    assert books.all("SELECT status, error_code, http_status FROM providers_entry") == [
        ("failed", "upstream_unavailable", 503),
        ("ok", "", None),
    ]


async def test_nothing_sent_frees_the_hold_without_an_entry(
    ledger: PostgresLedger, books: Books
) -> None:
    books.budget(10)
    await ledger.settle(await ledger.reserve(intent(4)), [])
    await ledger.aclose()
    assert books.counters() == (0, 0)
    assert books.costs() == []


async def test_what_may_have_been_billed_is_booked_at_its_worst_within_the_hold(
    ledger: PostgresLedger, books: Books
) -> None:
    books.budget(10)
    held = await ledger.reserve(intent(4))
    silent = attempt(None, status=AttemptStatus.FAILED, may_be_billed=True)
    await ledger.settle(held, [silent, attempt(1, 2)])
    assert books.costs() == [3, 1]
    assert books.counters() == (4, 0)
    assert books.all("SELECT is_estimated, is_unconfirmed FROM providers_entry ORDER BY attempt")[
        0
    ] == (True, True)


async def test_a_cost_without_a_price_stays_unknown(ledger: PostgresLedger, books: Books) -> None:
    unpriced = Deployment(1, "acme", "demo", "new", "")
    held = await ledger.reserve(intent(None))
    await ledger.settle(held, [attempt(None, usage=Usage(5, 6), deployment=unpriced)])
    assert books.costs() == [None]
    assert books.one("SELECT output_tokens FROM providers_entry") == 6


async def test_a_settlement_that_postgres_refuses_does_not_hold_up_the_others(
    ledger: PostgresLedger, books: Books
) -> None:
    books.budget(10)
    good, bad = [await ledger.reserve(intent(4)) for _ in range(2)]
    same_number = [attempt(1, 1), attempt(1, 1)]
    await asyncio.gather(ledger.settle(bad, same_number), ledger.settle(good, [attempt(2)]))
    assert books.counters() == (2, 4)


async def test_text_that_postgres_cannot_hold_is_cleaned(
    ledger: PostgresLedger, books: Books
) -> None:
    await ledger.settle(
        await ledger.reserve(intent(4)), [attempt(2, upstream_request_id="a\0b" * 100)]
    )
    assert books.one("SELECT length(upstream_request_id) FROM providers_entry") == 120
