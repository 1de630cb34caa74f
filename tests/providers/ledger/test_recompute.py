"""Every entry can be computed again from its own row and its price's version."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from providers.catalog import price_versions
from providers.engine.call import AttemptStatus
from providers.engine.routes import Deployment
from providers.engine.usage import Price, Usage
from providers.ledger import recompute, recovery
from providers.ledger.postgres import PostgresLedger
from providers.ledger.recompute import Verdict
from providers.models import Entry, PriceVersion
from tests.providers.ledger.ledgers import Books, aside, attempt, dollars, intent

PRICE = Price(
    Decimal("0.15"),
    Decimal("0.6"),
    "test with every class",
    cache_read=Decimal("0.075"),
    cache_write=Decimal("0.1875"),
    cache_write_1h=Decimal("0.3"),
    input_audio=Decimal("2.5"),
    output_audio=Decimal("5.000001"),
    web_search=Decimal(10),
    tiers=((100_000, Price(Decimal("0.3"), Decimal("1.2"), "test with every class")),),
)
DEARLY = Deployment(1, "acme", "demo", "large", "", price=PRICE, max_output_tokens=1000)
USAGE = Usage(
    9_001,
    507,
    cache_read_tokens=1_003,
    cache_write_tokens=2_000,
    cache_write_1h_tokens=701,
    reasoning_tokens=101,
    input_audio_tokens=333,
    output_audio_tokens=77,
    web_searches=2,
    server_tool_calls=3,
)


@pytest.fixture
def kept(books: Books) -> Iterator[None]:
    price_versions.keep([PRICE])
    yield
    PriceVersion.objects.all().delete()


async def settled(ledger: PostgresLedger, *attempts: Any) -> UUID:
    held = await ledger.reserve(intent(9))
    await ledger.settle(held, attempts)
    return held.id


async def verdicts(request_id: UUID) -> list[Verdict]:
    return [one.verdict for one in await aside(recompute.of_request, request_id)]


def command(*arguments: str) -> str:
    out = StringIO()
    call_command("ledger", *arguments, stdout=out)
    return out.getvalue()


async def test_every_figure_of_a_usage_comes_back_from_its_row(
    ledger: PostgresLedger, kept: None
) -> None:
    told = await settled(ledger, attempt(usage=USAGE, deployment=DEARLY))
    guess = replace(USAGE, estimated=True, estimated_figures=("output_tokens",))
    guessed = await settled(ledger, attempt(usage=guess, deployment=DEARLY))
    (one,), (other,) = [await aside(recompute.of_request, each) for each in (told, guessed)]
    assert recompute.usage_of(one.entry) == USAGE
    assert recompute.usage_of(other.entry) == guess
    assert one.verdict is other.verdict is Verdict.SAME
    assert one.computed_nano == PRICE.cost_nano(USAGE) == one.booked_nano


async def test_a_context_beyond_a_tier_is_computed_by_that_tier(
    ledger: PostgresLedger, kept: None
) -> None:
    usage = Usage(100_001, 3)
    (one,) = await aside(
        recompute.of_request, await settled(ledger, attempt(usage=usage, deployment=DEARLY))
    )
    assert (one.verdict, one.computed_nano) == (Verdict.SAME, 100_001 * 300 + 3 * 1200)


async def test_attempts_without_a_usage_or_a_price_are_the_same_too(
    ledger: PostgresLedger, kept: None
) -> None:
    refused = attempt(None, status=AttemptStatus.FAILED, error_code="upstream_unavailable")
    unpriced = replace(DEARLY, price=None)
    request = await settled(ledger, refused, attempt(2, 2, usage=USAGE, deployment=unpriced))
    assert await verdicts(request) == [Verdict.SAME, Verdict.SAME]


async def test_what_was_booked_by_rule_says_so_and_must_fit_the_hold(
    ledger: PostgresLedger, books: Books, kept: None
) -> None:
    silent = await settled(ledger, attempt(None, may_be_billed=True, status=AttemptStatus.FAILED))
    expired = await ledger.reserve(intent(5, ttl_s=0))
    await aside(recovery.expire, timezone.now() + timedelta(seconds=1))
    assert await verdicts(silent) == await verdicts(expired.id) == [Verdict.BY_RULE]
    books.own.execute("UPDATE providers_entry SET cost_nano = %s", [dollars(9.5)])
    assert await verdicts(silent) == await verdicts(expired.id) == [Verdict.DIFFERS]


async def test_a_share_of_an_embedding_fits_within_one_token(
    ledger: PostgresLedger, books: Books, kept: None
) -> None:
    record = attempt(usage=Usage(10, 0), deployment=DEARLY, share_nano=1_620)
    request = await settled(ledger, record)
    assert await verdicts(request) == [Verdict.SHARE]
    books.own.execute("UPDATE providers_entry SET cost_nano = 1700")
    assert await verdicts(request) == [Verdict.DIFFERS]


async def test_the_command_tells_by_its_exit_code_whether_all_is_the_same(
    ledger: PostgresLedger, books: Books, kept: None
) -> None:
    request = await settled(ledger, attempt(usage=USAGE, deployment=DEARLY))
    told = json.loads(await aside(command, "recompute", f"chatcmpl-{request.hex}", "--json"))
    assert told["is_same"] is True
    assert told["entries"][0]["booked_usd"] == told["entries"][0]["computed_usd"]
    books.own.execute("UPDATE providers_entry SET cost_nano = cost_nano + 1")
    with pytest.raises(SystemExit) as differs:
        await aside(command, "recompute", str(request))
    await aside(PriceVersion.objects.all().delete)
    with pytest.raises(SystemExit) as cannot_tell:
        await aside(command, "recompute", str(request))
    assert (differs.value.code, cannot_tell.value.code) == (1, 2)


async def test_a_request_in_flight_a_released_one_and_none_at_all_are_told_apart(
    ledger: PostgresLedger, books: Books
) -> None:
    flying = await ledger.reserve(intent(2))
    released = await settled(ledger)
    await ledger._settling.drained(5)
    for request, words in (
        (flying.id, r"in flight: \$2.00 are held"),
        (released, "its hold was released, no cost"),
        (uuid4(), "there is no request"),
    ):
        with pytest.raises(CommandError, match=words):
            await aside(command, "recompute", str(request))
    with pytest.raises(CommandError, match="x-request-id"):
        await aside(command, "recompute", "gpt-4o")


def test_an_entry_of_the_days_before_these_figures_has_none_of_them() -> None:
    old = Entry(input_tokens=5, output_tokens=6, cache_read_tokens=1)
    assert recompute.usage_of(old) == Usage(5, 6, cache_read_tokens=1)
