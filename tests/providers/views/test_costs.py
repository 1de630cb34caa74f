"""The cost page: sums that agree, for the eyes that may see them."""

from __future__ import annotations

import csv
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import cast

import pytest
from asgiref.sync import async_to_sync
from django.http import StreamingHttpResponse
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from providers.models import Organisation, Route, User
from providers.reports.question import Group
from providers.views.costs import CostPage
from tests.providers import spent
from tests.providers.people.conftest import World
from tests.providers.spent import CENT

URL = "/costs/"


def page_for(user: User, query: str = "") -> CostPage:
    client = Client()
    client.force_login(user)
    response = client.get(URL + query)
    assert response.status_code == 200
    return cast(CostPage, response.context["page"])


@pytest.fixture
def spread(world: World) -> World:
    """Mia and Ben of Search, Cleo of Billing, over three days and two models."""
    now = timezone.now()
    for days in range(3):
        at = now - timedelta(days=days)
        spent.entry(user=world.mia, team=world.search, at=at)
        spent.entry(user=world.ben, team=world.search, at=at, model="anthropic/claude-a")
        spent.entry(user=world.cleo, team=world.billing, at=at, cost_nano=5 * CENT)
    spent.request(
        {"code": "upstream_timeout", "cost_nano": CENT // 2},
        {"model": "anthropic/claude-a"},
        user=world.mia,
        team=world.search,
    )
    spent.entry(user=None, team=None, source="probe", route="")
    return world


def test_days_groups_and_total_are_one_number(spread: World):
    for group in Group:
        page = page_for(spread.ada, f"?by={group}")
        in_groups = sum(row.group.figures.cost_nano for row in page.rows)
        in_days = sum(slot.total for slot in page.chart.slots)

        assert page.spending.total.cost_nano == in_groups == in_days == 23 * CENT + CENT // 2
        assert (
            page.spending.total.requests
            == sum(row.group.figures.requests for row in page.rows)
            == 11
        )
        assert (
            page.spending.total.attempts
            == sum(row.group.figures.attempts for row in page.rows)
            == 12
        )


def test_a_person_sees_only_their_own_use(spread: World):
    page = page_for(spread.mia)

    assert page.whose == "Your own use"
    assert page.spending.total.cost_nano == 4 * CENT + CENT // 2
    assert {choice.key for choice in page.group_choices} == {*Group} - {"team", "user"}
    assert page.leaders == []


@pytest.mark.parametrize("name", ["vic", "otto"])
def test_who_spent_nothing_sees_nothing_of_others(spread: World, name: str):
    page = page_for(getattr(spread, name))

    assert page.spending.total.attempts == 0
    assert page.rows == []


def test_a_team_admin_sees_the_team_and_no_other(spread: World):
    page = page_for(spread.ben, "?by=user")

    assert page.whose == "Team Search"
    assert {row.group.label for row in page.rows} == {"mia@example.com", "ben@example.com"}


def test_asking_for_a_hidden_grouping_gives_the_first_that_is_offered(spread: World):
    assert page_for(spread.mia, "?by=user").spending.group == "model"


def test_spend_on_attempts_that_failed_is_waste(spread: World):
    assert page_for(spread.ada).spending.total.wasted_nano == CENT // 2


def test_an_unpriced_attempt_is_said_loudly_and_in_no_sum(world: World):
    spent.entry(user=world.mia, team=world.search, cost_nano=None)
    client = Client()
    client.force_login(world.ada)

    response = client.get(URL)

    assert response.context["page"].spending.total.cost_nano == 0
    assert "1 attempt without a price" in response.content.decode()


def test_open_reservations_are_counted_as_settling(world: World):
    spent.entry(user=world.mia, team=world.search)
    spent.open_reservation(user=world.mia, team=world.search)
    spent.open_reservation(user=world.cleo, team=world.billing)

    assert page_for(world.mia).spending.settling == 1
    assert page_for(world.ada).spending.settling == 2


def test_days_begin_at_midnight_of_the_reporting_time_zone(world: World):
    Organisation.objects.update_or_create(pk=1, defaults={"time_zone": "Asia/Tokyo"})
    before_midnight = datetime(2026, 11, 9, 14, 59, tzinfo=UTC)
    spent.entry(user=world.ada, team=world.search, at=before_midnight)
    spent.entry(
        user=world.ada,
        team=world.search,
        at=before_midnight + timedelta(minutes=1),
        cost_nano=2 * CENT,
    )

    page = page_for(world.ada, "?period=custom&from=2026-11-09&to=2026-11-10")

    assert {index: slot.total for index, slot in enumerate(page.chart.slots) if slot.total} == {
        23: CENT,
        24: 2 * CENT,
    }
    assert (
        page_for(world.ada, "?period=custom&from=2026-11-09&to=2026-11-09").spending.total.requests
        == 1
    )


def test_a_single_day_is_drawn_by_the_hour(world: World):
    at = datetime(2026, 11, 9, 14, 59, tzinfo=UTC)
    spent.entry(user=world.ada, team=world.search, at=at)

    page = page_for(world.ada, "?period=custom&from=2026-11-09&to=2026-11-09")

    assert [index for index, slot in enumerate(page.chart.slots) if slot.total] == [14]
    assert len(page.chart.slots) == 24


def test_nine_groups_are_eight_colours_and_the_rest(world: World):
    for number in range(10):
        spent.entry(user=world.ada, team=world.search, model=f"m/{number}", cost_nano=CENT + number)

    page = page_for(world.ada, "?by=model")

    assert [one.name for one in page.chart.series][-1] == "Other"
    assert len(page.chart.series) == 9
    assert sum(slot.total for slot in page.chart.slots) == page.spending.total.cost_nano


def test_a_period_that_makes_no_sense_is_explained(world: World):
    client = Client()
    client.force_login(world.ada)

    response = client.get(URL + "?period=custom&from=2026-11-10&to=2026-11-09")

    assert response.status_code == 422
    assert "must not be after the last" in response.content.decode()


def test_the_page_asks_a_fixed_number_of_questions(
    spread: World, django_assert_num_queries: DjangoAssertNumQueries
):
    client = Client()
    client.force_login(spread.ada)
    client.get(URL)
    for _ in range(5):
        spent.entry(user=spread.cleo, team=spread.billing, model="x/y")
    # session, user, memberships, teams, alerts; zone, fold, sums, names, settling; both periods
    # with their fold and the names of leaders
    with django_assert_num_queries(15):
        client.get(URL)


def file_for(user: User, ending: str, query: str = "") -> str:
    client = Client()
    client.force_login(user)
    response = cast(StreamingHttpResponse, client.get(f"{URL}focus.{ending}{query}"))

    async def read() -> str:
        chunks = cast(AsyncIterator[bytes], response.streaming_content)
        return b"".join([chunk async for chunk in chunks]).decode()

    return async_to_sync(read)()


def lines_for(user: User, query: str = "") -> list[dict[str, str]]:
    return list(csv.DictReader(file_for(user, "csv", query).splitlines()))


def test_the_csv_has_every_attempt_and_sums_to_the_total(
    spread: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("providers.reports.export._PAGE", 5)

    lines = lines_for(spread.ada)

    assert len(lines) == 12
    assert sum(Decimal(line["BilledCost"]) for line in lines) == Decimal("0.235")
    assert [line["ChargePeriodStart"] for line in lines] == sorted(
        line["ChargePeriodStart"] for line in lines
    )
    assert {line["x_User"] for line in lines} == {
        "mia@example.com",
        "ben@example.com",
        "cleo@example.com",
        "",
    }


def test_the_csv_is_as_narrow_as_the_page(spread: World):
    assert {line["x_User"] for line in lines_for(spread.mia)} == {"mia@example.com"}


def test_a_name_that_a_spreadsheet_would_run_is_quoted(world: World):
    world.search.name = "=HYPERLINK(1)"
    world.search.save()
    Route.objects.all().delete()
    spent.entry(user=world.ada, team=world.search, cost_nano=None)

    (line,) = lines_for(world.ada)

    assert line["SubAccountName"] == "'=HYPERLINK(1)"
    assert line["BilledCost"] == ""


def test_the_json_is_the_csv(spread: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("providers.reports.export._PAGE", 5)
    for query in ("", "?model=nothing-of-it"):
        lines = lines_for(spread.ada, query)
        objects = json.loads(file_for(spread.ada, "json", query))

        assert [each["x_RequestId"] for each in objects] == [each["x_RequestId"] for each in lines]
        assert [str(each["BilledCost"]) for each in objects] == [
            each["BilledCost"] for each in lines
        ]


def test_a_file_carries_the_columns_that_focus_makes_mandatory(spread: World):
    line = lines_for(spread.ada)[0]

    assert line.keys() >= {
        "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency",
        "BillingPeriodEnd", "BillingPeriodStart", "ChargeCategory", "ChargeClass",
        "ChargeDescription", "ChargePeriodEnd", "ChargePeriodStart", "ContractedCost",
        "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity", "PricingUnit",
        "ProviderName", "PublisherName", "ServiceCategory", "ServiceName",
    }  # fmt: skip
    assert (line["BillingCurrency"], line["ChargeCategory"]) == ("USD", "Usage")
    assert line["BillingPeriodStart"].endswith("-01T00:00:00.000Z")


def test_filters_stand_as_chips_and_narrow_page_and_file(spread: World):
    page = page_for(spread.ada, f"?by=user&team={spread.search.pk}&model=gpt-a")

    assert [(chip.group, chip.label) for chip in page.chips] == [
        ("team", "Search"),
        ("model", "gpt-a"),
    ]
    assert page.spending.total.cost_nano == 3 * CENT + CENT // 2
    assert page_for(spread.ada, page.chips[0].url).spending.total.cost_nano == 19 * CENT + CENT // 2
    assert len(lines_for(spread.ada, f"?team={spread.search.pk}&model=gpt-a")) == 4
    assert "model=gpt-a" in page.csv_url
    assert all("model=gpt-a" in choice.url for choice in page.period_choices)


def test_a_filter_never_widens_what_may_be_seen(spread: World):
    assert page_for(spread.ben, f"?team={spread.billing.pk}").spending.total.attempts == 0
    assert lines_for(spread.mia, f"?user={spread.cleo.pk}") == []


@pytest.mark.parametrize("query", ["team=x", "user=999999999999999999999", "model=%00", "sort=no"])
def test_what_makes_no_sense_in_an_address_is_passed_over(spread: World, query: str):
    assert page_for(spread.ada, f"?{query}").spending.total.requests == 11


def test_what_has_no_tag_can_be_asked_for(spread: World):
    spent.entry(user=spread.ada, team=spread.search, tag="nightly")

    assert page_for(spread.ada, "?by=tag&tag=nightly").spending.total.requests == 1
    assert page_for(spread.ada, "?by=tag&tag=-").spending.total.requests == 11


def test_a_name_in_the_table_leads_to_it_alone_split_by_the_next(spread: World):
    row = next(row for row in page_for(spread.ada).rows if row.group.label == "Search")

    page = page_for(spread.ada, row.url)

    assert page.spending.group == "user"
    assert page.spending.total.cost_nano == row.group.figures.cost_nano


@pytest.mark.parametrize("sort", ["cost", "-cost", "name", "-requests", "each", "wasted"])
def test_the_table_is_sorted_before_it_is_cut_off(
    spread: World, monkeypatch: pytest.MonkeyPatch, sort: str
):
    rows = page_for(spread.ada, f"?by=user&sort={sort}").rows
    monkeypatch.setattr("providers.views.costs.ROWS", 1)
    page = page_for(spread.ada, f"?by=user&sort={sort}")

    assert page.rows == rows[:1]
    assert page.more == 3
    assert [each.order for each in page.headings if each.order] == [
        "descending" if sort.startswith("-") else "ascending"
    ]
    assert page.spending.total.requests == sum(row.group.figures.requests for row in rows)


def test_a_period_is_compared_with_the_one_before_it_and_newcomers_are_flagged(world: World):
    now = timezone.now()
    spent.entry(user=world.mia, team=world.search, at=now - timedelta(days=8), cost_nano=4 * CENT)
    spent.entry(user=world.mia, team=world.search, at=now, cost_nano=5 * CENT)
    spent.entry(user=world.cleo, team=world.billing, at=now, cost_nano=CENT)

    page = page_for(world.ada, "?period=7d&by=user")

    assert page.compared.total.share == 0.5
    assert {row.group.label: (row.change.share, row.change.is_new) for row in page.rows} == {
        "mia@example.com": (0.25, False),
        "cleo@example.com": (None, True),
    }
    assert [(one.spender.label, one.spender.change.is_new) for one in page.leaders] == [
        ("mia@example.com", False),
        ("cleo@example.com", True),
    ]


def test_the_dearest_requests_come_by_themselves(spread: World):
    client = Client()
    client.force_login(spread.mia)

    page = client.get(f"{URL}dearest/").context["page"]

    assert {dear.user for dear in page.dearest} == {"mia@example.com"}
    assert page.dearest[0].cost_nano == CENT + CENT // 2


def test_a_search_for_the_dearest_that_takes_too_long_is_given_up(
    spread: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("providers.reports.dearest.LONGEST_MS", 1)
    monkeypatch.setattr("providers.reports.dearest._ROWS", "SELECT pg_sleep(5)")
    client = Client()
    client.force_login(spread.ada)

    assert "Choose fewer days" in client.get(f"{URL}dearest/").content.decode()


def test_the_file_in_our_own_words_has_the_same_rows_and_the_tag(spread: World):
    spent.entry(user=spread.ada, team=spread.search, tag="nightly")
    client = Client()
    client.force_login(spread.ada)
    response = cast(StreamingHttpResponse, client.get(f"{URL}attempts.csv"))

    async def read() -> str:
        chunks = cast(AsyncIterator[bytes], response.streaming_content)
        return b"".join([chunk async for chunk in chunks]).decode()

    lines = list(csv.DictReader(async_to_sync(read)().splitlines()))
    assert [line["cost_usd"] for line in lines] == [
        line["BilledCost"] for line in lines_for(spread.ada)
    ]
    assert [line["tag"] for line in lines if line["tag"]] == ["nightly"]
