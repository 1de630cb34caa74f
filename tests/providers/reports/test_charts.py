"""Places of bars: they add up, stay inside, and say what they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.reports.charts import NARROW_LABELS, WIDE_LABELS, Series, scale, stacked_bars

TWO = (Series("a", "series-1", [10, 0, 30]), Series("b", "series-2", [10, 0, 0]))


def test_segments_stand_on_each_other_and_on_the_baseline():
    chart = stacked_bars(["x", "y", "z"], TWO, str, height=124)

    lower, upper = chart.bars[0].segments

    assert lower.y + lower.height == pytest.approx(chart.baseline)
    assert upper.y + upper.height == pytest.approx(lower.y)
    assert lower.height == pytest.approx(upper.height, abs=0.02)


def test_what_is_nothing_is_not_drawn():
    chart = stacked_bars(["x", "y", "z"], TWO, str)

    assert chart.bars[1].segments == ()
    assert len(chart.bars[2].segments) == 1


def test_every_bar_and_segment_says_its_value():
    chart = stacked_bars(["1", "2", "3"], TWO, lambda n: f"${n}", titles=["Mon", "Tue", "Wed"])

    assert chart.bars[0].title == "Mon: $20"
    assert [one.title for one in chart.bars[0].segments] == ["Mon, a: $10", "Mon, b: $10"]


@pytest.mark.parametrize(
    ("highest", "expected"),
    [(0, (1, 1)), (1, (1, 1)), (7, (8, 2)), (30, (30, 10)), (31, (40, 10)), (999, (1000, 200))],
)
def test_the_axis_ends_at_a_round_number(highest: int, expected: tuple[int, int]):
    assert scale(highest) == expected


@given(st.integers(1, 10**18))
def test_the_axis_holds_its_highest_bar_in_few_steps(highest: int):
    ceiling, step = scale(highest)

    assert highest <= ceiling < 2 * highest + step
    assert 1 <= ceiling // step <= 5


@given(st.integers(1, 400))
def test_labels_never_crowd_and_narrow_ones_are_among_the_wide(days: int):
    labels = stacked_bars([str(day) for day in range(days)], (), str).labels

    assert 1 <= len(labels) <= WIDE_LABELS
    assert 1 <= sum(label.on_narrow for label in labels) <= NARROW_LABELS


@given(st.lists(st.integers(0, 10**15), min_size=1, max_size=60))
def test_no_bar_leaves_the_plot(values: list[int]):
    chart = stacked_bars([""] * len(values), [Series("a", "series-1", values)], str)

    for bar in chart.bars:
        assert bar.x >= 0
        assert bar.x + bar.width <= 100.01
        assert all(0 < one.y <= chart.baseline for one in bar.segments)
