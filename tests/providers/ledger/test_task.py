from __future__ import annotations

from gaiweb.celery import BEAT
from providers.ledger.postgres import PostgresLedger
from providers.tasks import expire_reservations
from tests.providers.ledger.ledgers import Books, aside, intent


async def test_the_clock_rings_for_holds_past_their_deadline(
    ledger: PostgresLedger, books: Books
) -> None:
    await ledger.reserve(intent(5, ttl_s=-1))
    assert await aside(expire_reservations) == 1
    assert expire_reservations.name in BEAT
