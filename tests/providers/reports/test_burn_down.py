"""Where a budget leads, in figures and as a chart."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from providers.ledger.effects import Manner, Used, effect_of
from providers.ledger.forecast import Course, forecast
from providers.ledger.windows import Cycle
from providers.reports.burn_down import burn_down

UTC_ZONE = ZoneInfo("UTC")
STARTS = datetime(2026, 11, 1, tzinfo=UTC)
ENDS = datetime(2026, 12, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 11, tzinfo=UTC)


def course(spent: int, limit: int = 300, ends: datetime | None = ENDS) -> Course:
    return Course(limit * 10**9, spent * 10**9, STARTS, ends)


def test_an_even_pace_says_when_it_runs_out_or_what_it_comes_to() -> None:
    fast, slow = forecast(course(150), NOW), forecast(course(90), NOW)
    assert fast is not None
    assert fast.runs_out_at == datetime(2026, 11, 21, tzinfo=UTC)
    assert fast.at_end_nano == 450 * 10**9
    assert slow is not None
    assert (slow.runs_out_at, slow.at_end_nano) == (None, 270 * 10**9)


def test_nothing_is_foreseen_too_early_or_when_it_is_used_up() -> None:
    assert forecast(course(1), STARTS + timedelta(minutes=59)) is None
    assert forecast(course(300), NOW) is None


@settings(max_examples=100, deadline=None, database=None)
@given(st.integers(0, 10**18), st.integers(1, 10**18), st.integers(3600, 29 * 86400))
def test_the_two_halves_of_a_forecast_agree(spent: int, limit: int, seconds: int) -> None:
    now = STARTS + timedelta(seconds=seconds)
    found = forecast(Course(limit, spent, STARTS, ENDS), now)
    if found is None:
        assert spent >= limit
        return
    assert found.at_end_nano is not None
    if found.runs_out_at is not None:
        assert now <= found.runs_out_at < ENDS
        assert found.at_end_nano >= limit
    else:
        # A second more or less at the very end.
        assert found.at_end_nano <= limit + spent // (seconds // 2)


def test_the_chart_falls_from_the_limit_and_ends_at_the_counter() -> None:
    days = [(date(2026, 11, day), 10 * 10**9) for day in range(1, 11)]
    drawn = burn_down(course(120), days, forecast(course(120), NOW), NOW, UTC_ZONE)
    assert drawn is not None
    assert drawn.even == "0.0,10.0 100.0,176.0"
    first, *_, last = drawn.actual.split()
    assert first == "0.0,10.0"
    # Entries say 100 by then; the counter, which knows corrections too, has the last word.
    assert last == f"33.33,{10 + 166 * 120 / 300:.1f}"
    assert drawn.ahead.split()[0] == last
    lefts = [line.left_nano // 10**9 for line in drawn.lines]
    assert lefts == [300, 290, 280, 270, 260, 250, 240, 230, 220, 210, 180]
    assert (drawn.lines[-1].title, drawn.lines[-1].even_nano) == ("Now", 200 * 10**9)
    assert drawn.summary == "$180.00 left of $300.00. At this pace it runs out on 26 November."


def test_a_day_where_clocks_change_is_drawn_from_end_to_end() -> None:
    zone = ZoneInfo("Europe/Berlin")
    starts = datetime(2026, 10, 25, tzinfo=zone)
    day = Course(10**9, 0, starts, datetime(2026, 10, 26, tzinfo=zone))
    drawn = burn_down(day, [], None, starts + timedelta(hours=6), zone)
    assert drawn is not None
    assert [label.text for label in drawn.labels] == ["00:00", "06:00", "12:00", "18:00"]
    assert drawn.labels[0].x == 0


def test_holds_that_fill_the_rest_are_told_apart_from_what_is_spent() -> None:
    manner = Manner(100 * 10**9, is_hard=True, degrade_to="", cycle=Cycle("month", "UTC"))
    full = effect_of(manner, manner, Used("Search", 90 * 10**9, 10 * 10**9), NOW)
    assert full.tone == "warn"
    assert full.sentences[0] == (
        "Search is at $90.00 and running prompts hold $10.00: nothing more fits into $100.00"
        " until they end for less."
    )
    cheap = Manner(80 * 10**9, is_hard=False, degrade_to="small", cycle=manner.cycle)
    led = effect_of(manner, cheap, Used("Search", 90 * 10**9, 0), NOW)
    assert led.sentences[0].startswith("Search is at $90.00: with $80.00 small answers at once")
