"""Figures as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from providers.templatetags import figures, words


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


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "just now"), (1, "just now"), (2, "2 s ago"), (119, "119 s ago"), (120, "2 min ago"),
     (7200, "2 h ago"), (200_000, "2 d ago")],
)  # fmt: skip
def test_a_moment_is_told_by_its_distance(seconds: int, text: str) -> None:
    now = datetime(2026, 11, 27, 12, tzinfo=UTC)
    assert figures.ago(now - timedelta(seconds=seconds), now) == text


def test_what_stands_between_backticks_is_code_and_nothing_else_is_markup() -> None:
    assert words.coded("`key` <b>") == "<code>key</code> &lt;b&gt;"
    assert words.coded("`<b>`") == "<code>&lt;b&gt;</code>"
