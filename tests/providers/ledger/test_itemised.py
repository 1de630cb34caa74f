"""A receipt tells every line, and its lines add up to what was booked."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.catalog import price_versions
from providers.engine.call import AttemptStatus, step_id
from providers.engine.codes import CODES
from providers.engine.ports import Intent
from providers.engine.usage import NANO_PER_USD, Price, Usage
from providers.ledger import corrections, itemised
from providers.ledger.postgres import PostgresLedger
from providers.models import PriceVersion
from tests.providers.catalog.test_price_versions import COUNT, a_price
from tests.providers.ledger.ledgers import NOBODY, Books, aside, attempt, dollars, intent
from tests.providers.ledger.test_recompute import DEARLY, PRICE, USAGE


@pytest.fixture(autouse=True)
def kept(books: Books) -> Iterator[None]:
    price_versions.keep([PRICE])
    yield
    PriceVersion.objects.all().delete()
    books.own.execute("TRUNCATE providers_auditentry")


@settings(max_examples=100, deadline=None)
@given(a_price(), st.tuples(*[COUNT] * 8))
def test_the_classes_of_a_price_add_up_to_its_cost(price: Price, counts: tuple[int, ...]) -> None:
    whole, out, read, write, long, heard, spoken, searches = counts
    usage = Usage(
        whole + read + write,
        out,
        cache_read_tokens=read,
        cache_write_tokens=write,
        cache_write_1h_tokens=min(write, long),
        input_audio_tokens=heard,
        output_audio_tokens=spoken,
        web_searches=searches,
    )
    nano = sum(
        rate * count * (1_000_000 if name == "web_search" else 1_000)
        for name, count, rate in price.classes(usage)
    )
    assert abs(nano - price.cost_nano(usage)) <= Decimal("0.5")


async def test_lines_attempts_hold_and_saving_are_told(ledger: PostgresLedger) -> None:
    held = await ledger.reserve(intent(9))
    refused = attempt(
        None, status=AttemptStatus.FAILED, error_code="upstream_unavailable", http_status=503
    )
    await ledger.settle(held, [refused, attempt(2, 2, usage=USAGE, deployment=DEARLY)])
    found = await aside(itemised.of_request, held.id)
    assert found is not None
    down, answered = found.tries
    assert down.reason == CODES["upstream_unavailable"].title
    assert (down.lines, down.entry.cost_nano) == ((), 0)
    cost = sum(line.cost_usd for line in answered.lines)
    assert abs(cost - Decimal(PRICE.cost_nano(USAGE)) / NANO_PER_USD) <= Decimal("0.5e-9")
    assert [line.name for line in answered.lines] == [
        "input",
        "input_audio",
        "cache_read",
        "cache_write",
        "cache_write_1h",
        "output",
        "output_audio",
        "web_search",
    ]
    # 1,003 tokens read from the cache at half of 15 cents a million.
    assert found.kept_usd == Decimal("0.000075225")
    (hold,) = found.holds
    assert hold.released_nano == dollars(9) - PRICE.cost_nano(USAGE)
    assert (found.state, found.held_nano) == ("settled", dollars(9))


async def test_steps_are_summed_and_any_steps_id_leads_to_the_run(
    ledger: PostgresLedger, books: Books
) -> None:
    books.budget(50)
    run = await ledger.reserve(intent(5))
    await ledger.settle(run, [attempt(2)])
    second = Intent(step_id(run.id, 2), NOBODY, "default", dollars(5), 60)
    await ledger.settle(await ledger.reserve(second), [attempt(3)])
    other = await ledger.reserve(intent(5))
    await ledger.settle(other, [attempt(4)])
    for any_id in (run.id, second.request_id):
        found = await aside(itemised.of_request, any_id)
        assert found is not None
        assert found.total is not None
        assert (found.id, found.total.cost_nano) == (run.id, dollars(5))
        assert [tried.step for tried in found.tries] == [1, 2]
        (budget,) = found.budgets
        assert (budget.share_nano, budget.spent_nano) == (dollars(5), dollars(9))
        assert (budget.left_without_nano, budget.left_nano) == (dollars(46), dollars(41))


async def test_a_request_in_flight_a_released_one_and_a_corrected_one_say_so(
    ledger: PostgresLedger, books: Books
) -> None:
    books.budget(50)
    flying, released, right = [await ledger.reserve(intent(5)) for _ in range(3)]
    await ledger.settle(released, [])
    await ledger.settle(right, [attempt(4)])
    await aside(corrections.correct, right.id, Decimal(1), "A refund")
    one, two, three = [
        await aside(itemised.of_request, held.id) for held in (flying, released, right)
    ]
    assert one is not None
    assert two is not None
    assert three is not None
    assert (one.state, two.state, three.state) == ("in flight", "released", "settled")
    assert (one.total, one.budgets[0].share_nano) == (None, dollars(5))
    assert [entry.reason for entry in three.corrections] == ["A refund"]
    assert three.total is not None
    assert three.total.cost_nano == three.budgets[0].share_nano == dollars(1)


async def test_nobodys_id_has_no_receipt(ledger: PostgresLedger, books: Books) -> None:
    held = await ledger.reserve(intent(5))
    assert await aside(itemised.of_request, step_id(held.id, 2)) is None
