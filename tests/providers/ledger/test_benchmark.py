"""What benchmarks/ledger.py compares does the same work: same rows, same counters."""

from __future__ import annotations

import asyncio
from typing import Any

from benchmarks.ledger import COST_NANO, GroupCommit, Orm, Payer, Psycopg, prepare
from providers.ledger import check
from tests.providers.ledger.ledgers import Books, aside


async def test_all_contenders_hold_on_four_budgets_and_book_one_attempt(
    books: Books, conninfo: str
) -> None:
    payers: list[Payer] = await aside(prepare)
    contenders: list[Any] = [
        Orm(),
        await Psycopg.at(conninfo, connections=2),
        await GroupCommit.at(conninfo),
    ]
    for contender in contenders:
        await contender.once(payers[0])
        await contender.aclose()
        await asyncio.sleep(0)
    count = len(contenders)
    rows = books.all(
        "SELECT cardinality(windows), settled_at IS NOT NULL FROM providers_reservation"
    )
    assert rows == [(4, True)] * count
    assert books.one("SELECT sum(cost_nano)::bigint FROM providers_entry") == count * COST_NANO
    assert books.counters() == (4 * count * COST_NANO / 1e9, 0)
    assert not [words for words in (await aside(check.run)).differences if "is $" in words]
