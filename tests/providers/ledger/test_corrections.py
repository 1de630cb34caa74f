"""Corrections are entries: counters move with them, and nothing is edited."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from uuid import UUID

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.engine.call import Caller, Source, step_id
from providers.engine.ports import Intent
from providers.ledger import budgets, check, corrections, receipts, recompute, recovery
from providers.ledger.corrections import CannotCorrect
from providers.ledger.pool import connect
from providers.ledger.postgres import PostgresLedger
from providers.ledger.receipts import Receipt
from providers.ledger.recompute import Verdict
from providers.models import AuditEntry
from tests.providers.ledger.ledgers import Books, aside, attempt, dollars, intent


@pytest.fixture(autouse=True)
def no_trace(books: Books) -> Iterator[None]:
    """Leave the audit log as it was found; its rows cannot be deleted."""
    yield
    books.own.execute("TRUNCATE providers_auditentry")


async def settled(ledger: PostgresLedger, cost: float | None, caller: Caller | None = None) -> UUID:
    held = await ledger.reserve(intent(9, caller or Caller(Source.GATEWAY)))
    await ledger.settle(held, [attempt(cost, may_be_billed=True)])
    return held.id


async def correct(request_id: UUID, usd: str) -> corrections.Corrected:
    return await aside(corrections.correct, request_id, Decimal(usd), "Invoice of May, line 12")


async def is_clean() -> bool:
    return (await aside(check.run)).is_clean


async def test_a_correction_is_a_row_that_moves_cost_and_counters(
    ledger: PostgresLedger, books: Books
) -> None:
    books.budget(10)
    request = await settled(ledger, 5)
    done = await correct(request, "3.5")
    assert (done.before_nano, done.after_nano) == (dollars(5), dollars(3.5))
    assert books.costs() == [5, -1.5]
    assert books.counters() == (3.5, 0)
    assert books.all(
        "SELECT status, reason, actor, provider, is_unconfirmed FROM providers_entry"
        " ORDER BY attempt DESC LIMIT 1"
    ) == [("correction", "Invoice of May, line 12", "command line", "acme", False)]
    assert await is_clean()


async def test_correcting_twice_to_the_same_cost_books_once(
    ledger: PostgresLedger, books: Books
) -> None:
    books.budget(10)
    request = await settled(ledger, 5)
    changed = [(await correct(request, usd)).is_changed for usd in ("6", "6", "5")]
    assert changed == [True, False, True]
    assert books.costs() == [5, 1, -1]
    assert books.counters() == (5, 0)


async def test_an_expired_hold_is_corrected_and_no_longer_unconfirmed(
    ledger: PostgresLedger, books: Books
) -> None:
    books.budget(10)
    held = await ledger.reserve(intent(5, ttl_s=0))
    await aside(recovery.expire, timezone.now() + timedelta(seconds=1))
    assert await aside(receipts.of_request, held.id) == Receipt(dollars(5), is_unconfirmed=True)
    # Also "it was that" is news.
    assert (await correct(held.id, "5")).is_changed
    assert await aside(receipts.of_request, held.id) == Receipt(dollars(5), is_unconfirmed=False)
    await correct(held.id, "0.25")
    assert await aside(receipts.of_request, held.id) == Receipt(dollars(0.25), is_unconfirmed=False)
    assert books.counters() == (0.25, 0)
    assert await is_clean()


async def test_a_budget_made_after_the_request_learns_of_its_correction(
    ledger: PostgresLedger, books: Books
) -> None:
    team, other = books.team(), books.team("Other")
    request = await settled(ledger, 5, Caller(Source.GATEWAY, 1, team))
    for scope in ("team:Search", "team:Other", "org"):
        await aside(
            budgets.set_budget,
            scope=await aside(budgets.parse_scope, scope),
            limit_usd=Decimal(9),
            period="month",
            is_hard=True,
        )
    await correct(request, "7")
    spent = dict(
        books.all(
            "SELECT coalesce(b.team_id, 0), w.spent_nano FROM providers_budgetwindow w"
            " JOIN providers_budget b ON b.id = w.budget_id"
        )
    )
    assert spent == {team: dollars(7), other: 0, 0: dollars(7)}
    assert await is_clean()


async def test_a_run_of_several_steps_is_corrected_as_a_whole(
    ledger: PostgresLedger, books: Books
) -> None:
    books.budget(50)
    run = await settled(ledger, 2)
    step = Intent(step_id(run, 2), Caller(Source.GATEWAY), "default", dollars(9), 60)
    flying = await ledger.reserve(step)
    with pytest.raises(CannotCorrect, match="in flight"):
        await correct(run, "1")
    await ledger.settle(flying, [attempt(3)])
    await correct(run, "4")
    assert await aside(receipts.of_request, run) == Receipt(dollars(4), is_unconfirmed=False)
    assert books.counters() == (4, 0)
    assert [one.verdict for one in await aside(recompute.of_request, run)][1] is Verdict.BY_HAND


async def test_the_command_corrects_and_the_audit_log_tells_of_it(
    ledger: PostgresLedger, books: Books
) -> None:
    request = await settled(ledger, 5)

    def command(*arguments: str) -> str:
        out = StringIO()
        call_command("ledger", "correct", *arguments, stdout=out)
        return out.getvalue()

    told = json.loads(
        await aside(command, str(request), "--usd", "4", "--reason", "A refund", "--json")
    )
    assert (told["before_usd"], told["after_usd"]) == ("5.000000000", "4.000000000")
    row = await aside(AuditEntry.objects.order_by("-id").first)
    assert row is not None
    assert (row.action, row.target, row.reason) == (
        "ledger.corrected",
        f"request {request}",
        "A refund",
    )
    unknown = step_id(request, 5000)
    for arguments, words in (
        ([str(unknown), "--usd", "1", "--reason", "x"], "ID: there is no such request"),
        ([str(request), "--usd", "ten", "--reason", "x"], "--usd: 'ten' is not an amount"),
        ([str(request), "--usd", "-1", "--reason", "x"], "--usd: A cost lies between"),
        ([str(request), "--usd", "1", "--reason", " "], "--reason: Say why"),
    ):
        with pytest.raises(CommandError) as fault:
            await aside(command, *arguments)
        assert words in str(fault.value)


# How a call ends, what it costs of its hold of 9 dollars, and what an owner says of it later.
STORY = st.lists(
    st.tuples(
        st.sampled_from(["settled", "silent", "released", "expired"]),
        st.integers(0, 9),
        st.none() | st.integers(0, 12),
        st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


def test_entries_add_up_to_the_counters_after_any_settlements_expiries_and_corrections(
    books: Books, conninfo: str
) -> None:
    team = books.team()
    books.budget(10_000)
    books.budget(10_000, "team", team_id=team, period="day")

    @settings(
        max_examples=15,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(STORY)
    def adds_up(story: list[tuple[str, int, int | None, bool]]) -> None:
        books.own.execute(
            "DELETE FROM providers_budgetwindow; DELETE FROM providers_reservation;"
            " DELETE FROM providers_entry; DELETE FROM providers_spendquarter;"
            " DELETE FROM providers_spendday"
        )
        asyncio.run(play(story))

    async def play(story: list[tuple[str, int, int | None, bool]]) -> None:
        ledger = PostgresLedger(await connect(conninfo))
        ids = [
            await one_call(ledger, end, cost, team if in_team else None)
            for end, cost, _, in_team in story
        ]
        await ledger.aclose()
        await aside(recovery.expire, timezone.now())
        for request, (_, _, said, _) in zip(ids, story, strict=True):
            if said is not None:
                await correct(request, str(said))
        assert await is_clean()
        assert_sums(books)

    adds_up()


async def one_call(ledger: PostgresLedger, end: str, cost: int, team: int | None) -> UUID:
    caller = Caller(Source.GATEWAY, None, team)
    held = await ledger.reserve(intent(9, caller, ttl_s=-1 if end == "expired" else 60))
    if end in {"settled", "silent"}:
        told = cost if end == "settled" else None
        await ledger.settle(held, [attempt(told, may_be_billed=True)])
    elif end == "released":
        await ledger.settle(held, [])
    return held.id


def assert_sums(books: Books) -> None:
    """Entries, of everybody and of the team, are what the windows have counted."""
    for of_team, rows in ((False, "true"), (True, "team_id IS NOT NULL")):
        counted = books.all(
            "SELECT w.spent_nano FROM providers_budgetwindow w JOIN providers_budget b"
            " ON b.id = w.budget_id WHERE (b.team_id IS NOT NULL) = %s",
            of_team,
        )
        booked = books.one(f"SELECT coalesce(sum(cost_nano), 0) FROM providers_entry WHERE {rows}")
        assert [row[0] for row in counted or [(0,)]] == [booked]
