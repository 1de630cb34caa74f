"""Windows of budgets: pure in Python, the same in SQL, right where clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from providers.ledger.windows import EPOCH, LAST_START, Cycle, Span, window_at
from tests.providers.ledger.ledgers import Books

BEGIN = datetime(2017, 1, 1, tzinfo=UTC)
# Among them zones whose clocks change at midnight, by half an hour, and far from UTC.
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kathmandu",
    "Australia/Adelaide",
    "Australia/Lord_Howe",
    "America/Havana",
    "America/Sao_Paulo",
    "Asia/Beirut",
    "Africa/Cairo",
    "Pacific/Kiritimati",
    "America/St_Johns",
]
CYCLES = st.sampled_from(["day", "week", "month"]).flatmap(
    lambda period: st.builds(
        Cycle, st.just(period), st.sampled_from(ZONES), st.integers(1, LAST_START.get(period, 1))
    )
)
MOMENTS = st.integers(0, 12 * 365 * 86400).map(lambda s: BEGIN + timedelta(seconds=s))
SAO_PAULO, HAVANA = Cycle("day", "America/Sao_Paulo"), Cycle("day", "America/Havana")


@settings(max_examples=100, deadline=None, database=None)
@given(CYCLES, MOMENTS)
def test_windows_hold_their_moment_and_follow_each_other_without_gap(
    cycle: Cycle, at: datetime
) -> None:
    found = window_at(cycle, at)
    assert found.ends_at is not None
    assert found.starts_at <= at < found.ends_at
    assert window_at(cycle, found.starts_at) == found
    assert window_at(cycle, found.ends_at).starts_at == found.ends_at
    assert window_at(cycle, found.ends_at - timedelta(microseconds=1)) == found
    assert window_at(cycle, found.starts_at - timedelta(microseconds=1)).ends_at == found.starts_at


@settings(max_examples=100, deadline=None, database=None)
@given(CYCLES, MOMENTS)
def test_a_window_starts_on_its_day_at_the_first_moment_of_it(cycle: Cycle, at: datetime) -> None:
    starts = window_at(cycle, at).starts_at.astimezone(ZoneInfo(cycle.time_zone))
    before = (window_at(cycle, at).starts_at - timedelta(seconds=1)).astimezone(starts.tzinfo)
    assert before.date() == starts.date() - timedelta(days=1)
    if cycle.period == "week":
        assert starts.isoweekday() == cycle.starts_on
    if cycle.period == "month":
        assert starts.day == cycle.starts_on


def test_the_ledgers_own_functions_say_the_same(books: Books) -> None:
    @settings(max_examples=100, deadline=None, database=None)
    @given(CYCLES, MOMENTS)
    @example(SAO_PAULO, datetime(2018, 11, 4, 5, tzinfo=UTC))
    @example(HAVANA, datetime(2025, 11, 2, 4, 30, tzinfo=UTC))
    def compare(cycle: Cycle, at: datetime) -> None:
        asked = [cycle.period, cycle.time_zone, cycle.starts_on, at]
        (found,) = books.all(
            "SELECT ledger_window_start(%s, %s, %s, %s), ledger_window_end(%s, %s, %s, %s)",
            *asked * 2,
        )
        assert Span(*found) == window_at(cycle, at)

    compare()


def test_what_is_total_began_with_the_epoch_and_never_ends(books: Books) -> None:
    assert window_at(Cycle("total", "UTC"), BEGIN) == Span(EPOCH, None)
    found = books.all(
        "SELECT ledger_window_start('total', 'UTC', 1, now()),"
        " ledger_window_end('total', 'UTC', 1, now())"
    )
    assert found == [(EPOCH, None)]


@pytest.mark.parametrize(
    ("cycle", "at", "starts", "hours"),
    [
        # Berlin, spring: the day has 23 hours; autumn: 25.
        (Cycle("day", "Europe/Berlin"), "2026-03-29T10:00Z", "2026-03-28T23:00Z", 23),
        (Cycle("day", "Europe/Berlin"), "2026-10-25T10:00Z", "2026-10-24T22:00Z", 25),
        # Havana: at 1:00 clocks go back to 0:00, so that midnight comes twice.
        (HAVANA, "2025-11-02T04:30Z", "2025-11-02T04:00Z", 25),
        # Sao Paulo, 2018: at 0:00 clocks go on to 1:00, so that there is no midnight.
        (SAO_PAULO, "2018-11-04T05:00Z", "2018-11-04T03:00Z", 23),
        (Cycle("week", "UTC", 4), "2026-11-27T00:00Z", "2026-11-26T00:00Z", 168),
        (Cycle("month", "UTC", 15), "2026-03-14T23:59Z", "2026-02-15T00:00Z", 28 * 24),
        (Cycle("month", "Europe/Berlin", 28), "2026-04-01T00:00Z", "2026-03-27T23:00Z", 743),
    ],
)
def test_windows_in_known_places(cycle: Cycle, at: str, starts: str, hours: int) -> None:
    found = window_at(cycle, datetime.fromisoformat(at))
    assert found.starts_at == datetime.fromisoformat(starts)
    assert found.ends_at is not None
    assert found.ends_at - found.starts_at == timedelta(hours=hours)
