"""Periods are whole days of the reporting time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from providers.reports import periods
from providers.reports.periods import Period, PeriodError

BERLIN = ZoneInfo("Europe/Berlin")
# Still the 22nd in UTC, already the 23rd in Berlin.
NOW = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)


def chosen(**query: str) -> Period:
    query = {name.removesuffix("_"): value for name, value in query.items()}
    return periods.chosen(query, zone=BERLIN, now=NOW)


@pytest.mark.parametrize(
    ("choice", "first", "last"),
    [
        ("today", date(2026, 11, 23), date(2026, 11, 23)),
        ("7d", date(2026, 11, 17), date(2026, 11, 23)),
        ("30d", date(2026, 10, 25), date(2026, 11, 23)),
        ("month", date(2026, 11, 1), date(2026, 11, 23)),
        ("last-month", date(2026, 10, 1), date(2026, 10, 31)),
    ],
)
def test_choices_count_days_of_the_zone(choice: str, first: date, last: date):
    period = chosen(period=choice)

    assert (period.span.first, period.span.last) == (first, last)


def test_nothing_asked_is_thirty_days():
    assert chosen() == chosen(period="30d")


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
def test_the_day_on_which_clocks_change_has_its_own_number_of_hours(day: str, hours: int):
    found = chosen(period="custom", from_=day, to=day).hours()

    assert len(found) == hours
    assert (found[0].hour, found[-1].hour) == (0, 23)
    assert found[-1].astimezone(UTC) - found[0].astimezone(UTC) == timedelta(hours=hours - 1)


def test_days_to_come_are_left_out():
    assert chosen(period="custom", from_="2026-11-20", to="2027-01-01").span.last == date(
        2026, 11, 23
    )


@pytest.mark.parametrize(
    "query",
    [
        {"period": "decade"},
        {"period": "custom"},
        {"period": "custom", "from": "yesterday", "to": "2026-11-01"},
        {"period": "custom", "from": "2026-11-02", "to": "2026-11-01"},
        {"period": "custom", "from": "2027-01-01", "to": "2027-01-02"},
        {"period": "custom", "from": "2020-01-01", "to": "2026-11-01"},
    ],
)
def test_what_makes_no_sense_is_refused_with_words(query: dict[str, str]):
    with pytest.raises(PeriodError, match=r"\w+ \w+"):
        periods.chosen(query, zone=BERLIN, now=NOW)
