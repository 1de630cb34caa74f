"""The sums of quarter hours and days are those of the entries, whoever wrote them and when."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from providers.engine.call import AttemptStatus, Caller, Source
from providers.ledger import check, corrections, recovery, sums
from providers.ledger.postgres import PostgresLedger
from tests.providers.ledger.ledgers import Books, aside, attempt, dollars, intent
from tests.providers.ledger.test_hits import a_hit, booked
from tests.providers.people.test_commands import run as command

MARCH = datetime(2026, 3, 28, 23, 50, tzinfo=UTC)


async def settle(ledger: PostgresLedger, *attempts: object, caller: Caller | None = None) -> None:
    held = await ledger.reserve(intent(9, caller or Caller(Source.GATEWAY, 1, 2, 3)))
    await ledger.settle(held, attempts)  # type: ignore[arg-type]


async def test_every_way_into_the_books_is_in_the_sums(
    ledger: PostgresLedger, books: Books
) -> None:
    await settle(
        ledger,
        attempt(1, status=AttemptStatus.FAILED),
        attempt(2, number=2, status=AttemptStatus.CUT),
        attempt(3, number=3),
    )
    await ledger.reserve(intent(4, Caller(Source.PLAYGROUND, 1, 2), ttl_s=-1))
    await aside(recovery.expire, timezone.now())
    await booked(ledger, a_hit(books.team()))
    paid = books.one("SELECT reservation_id FROM providers_entry WHERE attempt = 3")
    await aside(corrections.correct, paid, Decimal(1), "Invoice")

    assert books.all(
        "SELECT sum(requests), sum(attempts), sum(retried), sum(wasted), sum(cached),"
        " sum(cost_nano), sum(wasted_nano), sum(failed_nano), sum(cut_nano),"
        " sum(unconfirmed_nano), sum(corrected_nano), sum(saved_nano), sum(output_tokens)"
        " FROM providers_spendquarter"
    ) == [
        (3, 4, 2, 3, 1, *map(dollars, (5, 7, 1, 2, 4, -5, 3)), 6),
    ]
    assert (await aside(check.run)).is_clean


async def test_a_settlement_that_comes_twice_is_summed_once(
    ledger: PostgresLedger, books: Books
) -> None:
    held = await ledger.reserve(intent(9))
    for _ in range(2):
        await ledger.settle(held, [attempt(2)])
    assert books.all("SELECT requests, cost_nano FROM providers_spendquarter") == [(1, dollars(2))]


async def test_one_quarter_of_one_group_is_one_row(ledger: PostgresLedger, books: Books) -> None:
    for minutes in (0, 9, 10, 24, 25):
        await settle(ledger, attempt(1, started_at=MARCH + timedelta(minutes=minutes)))
    assert books.all(
        "SELECT to_char(quarter AT TIME ZONE 'UTC', 'HH24:MI'), requests"
        " FROM providers_spendquarter ORDER BY quarter"
    ) == [("23:45", 2), ("00:00", 2), ("00:15", 1)]
    assert books.one("SELECT count(*) FROM providers_spendgroup") == 1


async def test_groups_that_differ_in_nothing_but_a_missing_name_stay_apart(
    ledger: PostgresLedger, books: Books
) -> None:
    for caller in (Caller(Source.GATEWAY, 1), Caller(Source.GATEWAY, None, 1)):
        await settle(ledger, attempt(1), caller=caller)
    assert books.all("SELECT user_id, team_id FROM providers_spendgroup ORDER BY user_id") == [
        (1, None),
        (None, 1),
    ]


ZONES = {
    "UTC": {"2026-03-28": 1, "2026-03-29": 3},
    "Asia/Kathmandu": {"2026-03-29": 4},
    "America/New_York": {"2026-03-28": 4},
}


@pytest.fixture
def at_home(books: Books) -> Iterator[None]:
    yield
    books.move_to("UTC")


@pytest.mark.parametrize("zone", ZONES)
async def test_days_that_are_over_are_summed_and_take_what_comes_late(
    ledger: PostgresLedger, books: Books, at_home: None, zone: str
) -> None:
    def days() -> dict[str, int]:
        by_day = "SELECT day::text, sum(requests)::int FROM providers_spendday GROUP BY 1"
        return dict(books.all(by_day))

    for minutes in (0, 10):
        await settle(ledger, attempt(1, started_at=MARCH + timedelta(minutes=minutes)))
    assert await aside(sums.fold_days, MARCH) == 0
    assert await aside(sums.fold_days, MARCH + timedelta(days=2)) >= 2
    books.move_to(zone)
    assert (days() == {}) == (zone != "UTC")
    await settle(ledger, attempt(1, started_at=MARCH + timedelta(minutes=20)))
    await aside(sums.fold_days, MARCH + timedelta(days=2))
    await settle(ledger, attempt(1, started_at=MARCH + timedelta(minutes=30)))
    await settle(ledger, attempt(1, started_at=MARCH + timedelta(days=30)))
    assert days() == ZONES[zone]
    assert (await aside(check.run)).is_clean
    assert await aside(sums.fold_days, MARCH + timedelta(days=2)) == 0


async def test_processes_that_settle_while_days_are_summed_lose_nothing(
    ledger: PostgresLedger, books: Books
) -> None:
    async def traffic(step: int) -> None:
        for day in range(0, 20, step):
            await settle(ledger, attempt(1, started_at=MARCH + timedelta(days=day)))

    async def folding() -> None:
        for day in range(20):
            await aside(sums.fold_days, MARCH + timedelta(days=day))

    await asyncio.gather(*(traffic(step) for step in (1, 2, 3)), folding(), folding())
    assert books.one("SELECT sum(requests) FROM providers_spendquarter") == 20 + 10 + 7
    assert (await aside(check.run)).is_clean


@pytest.mark.parametrize("table", ["quarter", "day"])
async def test_the_check_finds_a_wrong_sum_and_the_command_makes_it_right(
    ledger: PostgresLedger, books: Books, table: str
) -> None:
    await settle(ledger, attempt(1, started_at=MARCH))
    await settle(ledger, attempt(2, started_at=MARCH), caller=Caller(Source.PROBE))
    await aside(sums.fold_days, timezone.now())
    books.own.execute(
        f"UPDATE providers_spend{table} SET cost_nano = cost_nano + 1 WHERE cost_nano > %s",
        [dollars(1)],
    )
    (said, *_) = (await aside(check.run)).differences
    assert "1 sums of" in said
    assert "$0.000000001 too much" in said
    assert "Summed anew" in await aside(command, "ledger", "sum")
    assert (await aside(sums.differences)) == []
