"""Statements: what the ledger says of a month, once, numbered, and never changed."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from io import StringIO

import psycopg
import pytest
from django.core.management import CommandError

from providers.models import Statement, StatementLine, Team, User
from providers.reports import spending
from providers.reports.question import NOTHING, Group, Question, Span, Viewer
from providers.reports.statements import as_csv, making
from providers.reports.statements.making import CannotState, Made, make
from tests.providers import spent
from tests.providers.ledger.ledgers import Books
from tests.providers.people.test_commands import run as command
from tests.providers.spent import CENT

MARCH, APRIL = date(2026, 3, 1), date(2026, 4, 1)
IN_MARCH, IN_APRIL = datetime(2026, 3, 15, tzinfo=UTC), datetime(2026, 4, 15, tzinfo=UTC)


@pytest.fixture
def teams(books: Books) -> Iterator[tuple[Team, Team]]:
    forget = "TRUNCATE providers_statement, providers_statementline"
    books.own.execute(forget)
    yield Team.objects.get(pk=books.team("Search")), Team.objects.get(pk=books.team("Ads"))
    books.own.execute(forget)


def booked(month: date, last: date, team: Team | None) -> int:
    asked = Question(
        Span(month, last, "UTC"),
        Viewer(sees_all=True),
        {Group.TEAM: (str(team.pk) if team is not None else NOTHING,)},
    )
    return spending.spend_by_day(asked, Group.MODEL).total.cost_nano


def lines(made: Made) -> list[StatementLine]:
    return list(made.statement.lines.order_by("id"))


def test_a_statement_is_the_ledger_of_its_team_and_month(teams: tuple[Team, Team]) -> None:
    search, ads = teams
    for at in (IN_MARCH, IN_APRIL):
        spent.request({"code": "upstream_timeout", "cost_nano": CENT}, {}, at=at, team=search)
        spent.entry(at=at, team=search, model="anthropic/claude", price_version="p2")
        spent.entry(at=at, team=ads, cost_nano=None)
        spent.entry(at=at, team=None, cost_nano=7)
    made = make(MARCH)

    assert [(one.statement.number, one.statement.team_name) for one in made] == [
        (1, "Search"), (2, "Ads"), (3, ""),
    ]  # fmt: skip
    for one, team in zip(made, (search, ads, None), strict=True):
        assert one.statement.cost_nano == booked(MARCH, date(2026, 3, 31), team)
        assert one.statement.cost_nano == sum(line.cost_nano for line in lines(one))
    assert [
        (line.model, line.price_version, line.requests, line.attempts, line.cost_nano)
        for line in lines(made[0])
    ] == [("gpt-a", "test", 1, 2, 2 * CENT), ("claude", "p2", 1, 1, CENT)]
    assert [line.unpriced for line in lines(made[1])] == [1]


def test_made_again_it_stands_as_it_was_and_numbers_have_no_gap(teams: tuple[Team, Team]) -> None:
    _, ads = teams
    for team in teams:
        spent.entry(at=IN_MARCH, team=team)
        spent.entry(at=IN_APRIL, team=team)
    first = make(MARCH, ads)
    spent.entry(at=IN_MARCH, team=ads)

    assert [(one.statement.number, one.is_new) for one in make(MARCH)] == [(2, True), (1, False)]
    make(APRIL)
    assert make(MARCH, ads)[0].statement.cost_nano == first[0].statement.cost_nano == CENT
    assert list(Statement.objects.order_by("number").values_list("number", flat=True)) == [
        1, 2, 3, 4,
    ]  # fmt: skip


def test_what_comes_later_stands_on_a_later_statement_in_lines_of_its_own(
    teams: tuple[Team, Team],
) -> None:
    search, _ = teams
    spent.entry(at=IN_MARCH, team=search)
    make(MARCH)
    spent.entry(at=IN_MARCH, team=search, cost_nano=3 * CENT)
    spent.entry(at=IN_APRIL, team=search)
    spent.entry(
        at=IN_APRIL, team=search, attempt=2, status="correction", cost_nano=-CENT // 2,
        reason="Invoice of March", actor="ada@example.com", price_version="",
    )  # fmt: skip
    (april,) = make(APRIL)

    assert [
        (line.kind, line.month, line.requests, line.cost_nano, line.reason) for line in lines(april)
    ] == [
        ("usage", APRIL, 1, CENT, ""),
        ("usage", MARCH, 1, 3 * CENT, ""),
        ("correction", APRIL, 0, -CENT // 2, "Invoice of March"),
    ]
    total = sum(Statement.objects.values_list("cost_nano", flat=True))
    assert total == booked(MARCH, date(2026, 4, 30), search)

    rows = list(csv.DictReader(StringIO("".join(as_csv.csv_pieces(april.statement)))))
    assert [row["ChargeClass"] for row in rows] == ["", "Correction", "Correction"]
    assert sum(float(row["BilledCost"]) for row in rows) == pytest.approx(0.035)


@pytest.mark.parametrize(
    "deed",
    [
        "UPDATE providers_statement SET cost_nano = 0",
        "DELETE FROM providers_statement",
        "UPDATE providers_statementline SET cost_nano = 0",
        "DELETE FROM providers_statementline",
        "INSERT INTO providers_statementline SELECT (l).* FROM (SELECT l FROM providers_statementline l) x",  # noqa: E501
    ],
)
def test_nobody_changes_a_statement(teams: tuple[Team, Team], books: Books, deed: str) -> None:
    spent.entry(at=IN_MARCH, team=teams[0])
    make(MARCH)
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="never changed"):
        books.own.execute(deed)


def test_a_month_that_is_not_over_has_no_statement(teams: tuple[Team, Team]) -> None:
    with pytest.raises(CannotState, match="not over yet in UTC"):
        make(date(2999, 1, 1))


def test_they_make_themselves_a_day_after_the_month(teams: tuple[Team, Team]) -> None:
    spent.entry(at=IN_MARCH, team=teams[0])
    assert making.make_last(datetime(2026, 4, 1, 23, 59, tzinfo=UTC)) == []
    (made,) = making.make_last(datetime(2026, 4, 2, tzinfo=UTC))
    assert (made.statement.month, made.statement.made_by) == (MARCH, "this machine")
    assert [one.is_new for one in making.make_last(datetime(2026, 4, 2, 1, tzinfo=UTC))] == [False]


def test_the_command_tells_what_it_made(teams: tuple[Team, Team]) -> None:
    spent.entry(at=IN_MARCH, team=teams[0])
    told = json.loads(command("statement", "make", "--month", "2026-03", "--json"))
    assert told == {
        "statements": [
            {"number": 1, "team": "Search", "month": "2026-03", "cost_usd": "0.010000000",
             "is_new": True}
        ]
    }  # fmt: skip
    assert "stands already" in command(
        "statement", "make", "--month", "2026-03", "--team", "search"
    )
    for wrong in (("--month", "March"), ("--month", "2026-03", "--team", "nobody")):
        with pytest.raises(CommandError, match=r"--(month|team): "):
            command("statement", "make", *wrong)


def test_by_whom_it_was_made_is_said(teams: tuple[Team, Team]) -> None:
    spent.entry(at=IN_MARCH, team=teams[0])
    ada = User.objects.create_user("ada@example.com")
    assert make(MARCH, by=ada)[0].statement.made_by == "ada@example.com"
