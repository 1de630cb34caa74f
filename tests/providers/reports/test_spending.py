from __future__ import annotations

import csv
import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from providers.ledger.postgres import PostgresLedger
from providers.reports import export, spending
from providers.reports.question import Group, Question, Span, Viewer
from providers.reports.spending import Figures, Spending
from tests.providers.ledger.ledgers import Books, aside, dollars, intent

ALL = Viewer(sees_all=True)
MARCH = Span(date(2026, 3, 20), date(2026, 4, 2), "Europe/Berlin")


def fill(books: Books, count: int, seed: int = 7) -> list[tuple[datetime, int | None, int | None]]:
    """Random entries around daylight saving; answers (at, team, cost)."""
    pick = random.Random(seed)
    teams = [books.team("Search"), books.team("Ads"), None]
    start = datetime(2026, 3, 18, tzinfo=UTC)
    rows = [
        (
            start + timedelta(seconds=pick.randrange(18 * 86400)),
            pick.choice(teams),
            pick.choice([None, pick.randrange(10**10)]),
        )
        for _ in range(count)
    ]
    with books.own.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO providers_entry (reservation_id, attempt, at, source, user_id, team_id,"
            " route, provider, model, status, error_code, upstream_request_id, input_tokens,"
            " output_tokens, is_estimated, is_unconfirmed, cost_nano, price_version)"
            " VALUES (%s, %s, %s, 'gateway', %s, %s, %s, %s, %s, 'ok', '', '', %s, 7, false, %s,"
            " %s, '')",
            [
                (
                    uuid4(),
                    pick.choice([0, 1, 1, 2]),
                    at,
                    pick.choice([5, 6, None]),
                    team,
                    pick.choice(["default", "=fast"]),
                    pick.choice(["openai", "groq", ""]),
                    pick.choice(["large", "small"]),
                    pick.randrange(1000),
                    pick.random() < 0.2,
                    cost,
                )
                for at, team, cost in rows
            ],
        )
    return rows


def added(parts: list[Figures]) -> Figures:
    names = Figures.__dataclass_fields__
    return Figures(*(sum(getattr(part, name) for part in parts) for name in names))


def assert_laws(found: Spending) -> None:
    assert added([day.figures for day in found.days]) == found.total
    assert added([group.figures for group in found.groups]) == found.total
    for day in found.days:
        assert sum(day.costs.values()) == day.figures.cost_nano


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kathmandu", "Asia/Kolkata"])
def test_days_and_groups_and_total_and_ledger_agree(books: Books, zone: str) -> None:
    rows = fill(books, 400)
    span = Span(MARCH.first, MARCH.last, zone)
    inside = [
        cost or 0
        for at, _, cost in rows
        if span.first <= at.astimezone(ZoneInfo(zone)).date() <= span.last
    ]
    for group in Group:
        found = spending.spend_by_day(Question(span, ALL), group)
        assert_laws(found)
        assert found.total.cost_nano == sum(inside)
        assert found.total.attempts == len(inside)


def test_by_default_a_viewer_sees_nothing(books: Books) -> None:
    fill(books, 50)
    found = spending.spend_by_day(Question(MARCH, Viewer()), Group.TEAM)
    assert found.total == Figures()
    assert found.groups == ()
    assert len(found.days) == 14


def test_a_team_admin_sees_the_team_and_a_member_their_own(books: Books) -> None:
    rows = fill(books, 200)
    team = next(team for _, team, _ in rows if team)
    seen = spending.spend_by_day(Question(MARCH, Viewer(team_ids=(team,))), Group.TEAM)
    assert [group.key for group in seen.groups] == [str(team)]
    own = spending.spend_by_day(Question(MARCH, Viewer(user_id=5)), Group.USER)
    assert [group.key for group in own.groups] == ["5"]
    assert_laws(own)


def test_groups_have_names_that_people_know(books: Books) -> None:
    fill(books, 100)
    labels = {
        group.label for group in spending.spend_by_day(Question(MARCH, ALL), Group.TEAM).groups
    }
    assert labels == {"Search", "Ads", "No team (health probes)"}
    users = {
        group.label for group in spending.spend_by_day(Question(MARCH, ALL), Group.USER).groups
    }
    assert users == {"Deleted user 5", "Deleted user 6", "Nobody (health probes)"}


async def test_open_requests_are_counted_as_settling(ledger: PostgresLedger, books: Books) -> None:
    await ledger.reserve(intent(1))
    assert (await aside(spending.spend_by_day, Question(MARCH, ALL), Group.TEAM)).settling == 1
    assert (
        await aside(spending.spend_by_day, Question(MARCH, Viewer((1,), 1)), Group.TEAM)
    ).settling == 0


def test_the_csv_has_every_entry_once_in_order_of_time(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(books, 4300)
    span = Span(date(2026, 3, 1), date(2026, 4, 30), "UTC")
    pieces = list(export.focus_pieces(Question(span, ALL)))
    assert len(pieces) == 4
    rows = list(csv.DictReader(StringIO("".join(pieces))))
    assert len({row["x_RequestId"] for row in rows}) == len(rows) == 4300
    assert [row["ChargePeriodStart"] for row in rows] == sorted(
        row["ChargePeriodStart"] for row in rows
    )
    total = spending.spend_by_day(Question(span, ALL), Group.TEAM).total
    assert sum(dollars_of(row["BilledCost"]) for row in rows) == total.cost_nano
    assert {row["x_Route"] for row in rows} == {"default", "'=fast"}


def dollars_of(text: str) -> int:
    return int(Decimal(text or 0) * dollars(1))
