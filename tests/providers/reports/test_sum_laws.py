"""Days = range = groups = ledger, whatever the time zone and whether or not days are summed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from providers.ledger import sums
from providers.reports import compared, spending
from providers.reports.cost_chart import cost_chart
from providers.reports.periods import Bucket, Period
from providers.reports.question import NOTHING, Group, Question, Span, Viewer
from tests.providers.ledger.ledgers import Books
from tests.providers.reports.test_spending import ALL, assert_laws

ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
]
"""Clocks change in three of them, in one by half an hour; two are :30 and :45 off the hour."""
START = datetime(2026, 2, 20, tzinfo=UTC)
DAYS = 60
COLUMNS = (
    "reservation_id", "attempt", "at", "source", "user_id", "team_id", "key_id", "tag", "route",
    "provider", "model", "status", "input_tokens", "output_tokens", "is_estimated",
    "is_unconfirmed", "is_cached", "cost_nano", "saved_nano",
)  # fmt: skip
Entry = dict[str, Any]


def entry(pick: random.Random) -> Entry:
    is_cached = pick.random() < 0.1
    status = "ok" if is_cached else pick.choice(["ok", "ok", "failed", "cut", "correction"])
    cost = 0 if is_cached else pick.choice([None, pick.randrange(-(10**6), 10**10)])
    # Thick around the edges of days, where a time zone shows.
    at = START + timedelta(days=pick.randrange(DAYS), seconds=pick.gauss(0, 9000))
    facts = (
        uuid4(), pick.choice([0, 1, 1, 2]), at, pick.choice(["gateway", "playground"]),
        pick.choice([5, 6, None]), pick.choice([1, 2, None]), pick.choice([9, None]),
        pick.choice(["", "nightly"]), pick.choice(["default", "fast"]),
        pick.choice(["openai", "groq"]), pick.choice(["large", "small"]), status,
        pick.randrange(1000), pick.choice([None, 7]), pick.random() < 0.2, pick.random() < 0.1,
        is_cached, cost, 5 if is_cached else None,
    )  # fmt: skip
    return dict(zip(COLUMNS, facts, strict=True))


def write(books: Books, entries: list[Entry]) -> None:
    with books.own.transaction(), books.own.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO providers_entry ({', '.join(COLUMNS)}, error_code, upstream_request_id,"
            f" price_version) VALUES ({', '.join(['%s'] * len(COLUMNS))}, '', '', '')",
            [tuple(each.values()) for each in entries],
        )


@pytest.fixture(params=ZONES)
def zone(request: pytest.FixtureRequest, books: Books) -> Iterator[str]:
    books.move_to(request.param)
    yield request.param
    books.move_to("UTC")


def inside(entries: list[Entry], span: Span) -> list[Entry]:
    zone = ZoneInfo(span.time_zone)
    return [
        each for each in entries if span.first <= each["at"].astimezone(zone).date() <= span.last
    ]


def key_of(each: Entry, group: Group) -> str:
    value = each[f"{group}_id"] if group.is_row else each[group]
    return "" if value is None else str(value)


@pytest.mark.parametrize("folded", [0, DAYS // 2])
def test_every_sum_is_that_of_the_entries(books: Books, zone: str, folded: int) -> None:
    pick = random.Random(f"{zone} {folded}")
    early, late = ([entry(pick) for _ in range(150)] for _ in range(2))
    write(books, early)
    sums.fold_days(START + timedelta(days=folded))
    write(books, late)

    span = Span(date(2026, 3, 2), date(2026, 4, 10), zone)
    known = inside(early + late, span)
    for group in Group:
        found = spending.spend_by_day(Question(span, ALL), group)
        assert_laws(found)
        costs = Counter[str]()
        for each in known:
            costs[key_of(each, group)] += each["cost_nano"] or 0
        assert {one.key: one.figures.cost_nano for one in found.groups} == costs
        assert found.total.cost_nano == costs.total()
        assert found.total.requests == sum(each["attempt"] <= 1 for each in known)
        assert found.total.saved_nano == sum(each["saved_nano"] or 0 for each in known)
        by_hour = spending.costs_by_hour(Question(span, ALL), group)
        assert sum(cost for hour in by_hour.values() for cost in hour.values()) == costs.total()
    assert sums.differences() == []


def test_bars_of_any_width_and_the_period_before_add_up(books: Books, zone: str) -> None:
    pick = random.Random(zone)
    entries = [entry(pick) for _ in range(200)]
    write(books, entries)
    sums.fold_days(START + timedelta(days=30))
    widths: set[Bucket] = set()
    for first, last in (
        (date(2026, 3, 28), date(2026, 3, 29)),
        (date(2026, 3, 8), date(2026, 4, 8)),
        (date(2026, 1, 5), date(2026, 5, 1)),
        (date(2025, 9, 20), date(2026, 4, 15)),
    ):
        period = Period("custom", Span(first, last, zone))
        asked = Question(period.span, ALL)
        found = spending.spend_by_day(asked, Group.MODEL)
        by_hour = spending.costs_by_hour(asked, Group.MODEL)
        chart = cost_chart(period, found, by_hour if period.bucket is Bucket.HOUR else None)
        widths.add(chart.bucket)
        total = sum(each["cost_nano"] or 0 for each in inside(entries, period.span))
        assert sum(slot.total for slot in chart.slots) == found.total.cost_nano == total

        beside = compared.compare(asked, period.before, Group.MODEL)
        earlier = sum(each["cost_nano"] or 0 for each in inside(entries, period.before))
        assert (beside.total.now_nano, beside.total.before_nano) == (total, earlier)
        assert sum(one.before_nano for one in beside.groups.values()) == earlier
        assert {
            key: one.now_nano for key, one in beside.groups.items() if key in found_keys(found)
        } == {one.key: one.figures.cost_nano for one in found.groups}
    assert widths == set(Bucket)


def found_keys(found: spending.Spending) -> set[str]:
    return {one.key for one in found.groups}


def test_filters_and_viewers_see_a_part_and_the_parts_are_the_whole(
    books: Books, zone: str
) -> None:
    pick = random.Random(zone)
    write(books, [entry(pick) for _ in range(200)])
    sums.fold_days(START + timedelta(days=30))
    span = Span(date(2026, 2, 1), date(2026, 5, 1), zone)
    whole = spending.spend_by_day(Question(span, ALL), Group.MODEL).total
    for group in Group:
        parts = [
            spending.spend_by_day(Question(span, ALL, {group: (one.key or NOTHING,)}), Group.MODEL)
            for one in spending.spend_by_day(Question(span, ALL), group).groups
        ]
        assert sum(part.total.cost_nano for part in parts) == whole.cost_nano
        assert sum(part.total.requests for part in parts) == whole.requests
        for part in parts:
            assert_laws(part)
    own = Question(span, Viewer(user_id=5))
    of_user = Question(span, ALL, {Group.USER: ("5",)})
    assert (
        spending.spend_by_day(own, Group.MODEL).total
        == spending.spend_by_day(of_user, Group.MODEL).total
    )
