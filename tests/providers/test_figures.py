"""Figures as people read them."""

from __future__ import annotations

import pytest

from providers.templatetags import figures


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (None, figures.UNKNOWN),
        (0.0, "0 %"),
        (0.0001, "<0.1 %"),
        (0.2, "20.0 %"),
        (0.9999, "99.9 %"),
        (1.0, "100 %"),
    ],
)
def test_a_share_never_rounds_a_fault_away(share: float | None, words: str):
    assert figures.percent(share).replace("\u00a0", " ") == words


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        (None, figures.UNKNOWN),
        (0, "0 ms"),
        (999, "999 ms"),
        (1400, "1.4 s"),
        (125_000, "2 min 5 s"),
    ],
)
def test_durations_take_the_unit_that_fits(duration: int | None, words: str):
    assert figures.milliseconds(duration) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [(None, figures.UNKNOWN), (812, "812"), (14_230, "14.2 k"), (3_100_000, "3.1 M")],
)
def test_large_counts_are_short(number: int | None, words: str):
    assert figures.compact(number) == words


def test_unknown_money_is_a_dash_and_free_is_zero():
    assert figures.usd(None) == figures.UNKNOWN
    assert figures.usd(0) == "$0.00"
