"""A text in pieces is shown as the text whole would be, and never a part of what is found."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.engine.filters.finder import Finder, finder_of
from providers.engine.filters.holding import LONGEST_HELD
from providers.engine.filters.passage import Passage
from providers.engine.filters.spans import replaced
from providers.engine.policy import NamedPattern, Policy
from tests.engine.filters.labelled import lines

PLAIN = finder_of(Policy(), regions=("US", "DE"))
OWN = finder_of(
    Policy(
        pii_patterns=(
            NamedPattern("Case", r"ACME-\d{6}"),
            NamedPattern("Project", r"(?i)project [a-z]+ \w+"),
        )
    )
)
FOUND = [line.text[start:end] for line in lines() for _, start, end in line.finds]
PIECES = st.one_of(
    st.sampled_from(FOUND),
    st.sampled_from([line.text for line in lines()]),
    st.sampled_from([
        " ",
        "  ",
        "\n",
        ". ",
        ", ",
        "-",
        "",
        "+",
        "(",
        ") ",
        "1",
        " 22 ",
        "AB ",
        "@",
    ]),
    st.sampled_from(["ACME-123456", "Project Blue Whale", "project", " x ", "\u200b", "。", "é"]),
    st.text(alphabet="aZ09 .@+-()/:_\n\u200b中é", max_size=12),
)
TEXTS = st.lists(PIECES, max_size=8).map("".join)


def cut(text: str, places: list[int]) -> list[str]:
    edges = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[start:end] for start, end in pairwise(edges)]


def shown_whole(finder: Finder, text: str) -> str:
    return replaced(text, finder.find(text))


def check(finder: Finder, pieces: list[str]) -> None:
    whole = shown_whole(finder, "".join(pieces))
    passage, shown = Passage(finder), ""
    for piece in pieces:
        shown += passage.feed(piece).text
        assert whole.startswith(shown), "something was shown before it was complete"
    assert shown + passage.flush().text == whole


@given(TEXTS, st.lists(st.integers(0, 400), max_size=12))
@settings(max_examples=250, deadline=None)
def test_any_split_shows_what_the_whole_would_show(text: str, places: list[int]) -> None:
    check(PLAIN, cut(text, places))


@given(TEXTS, st.lists(st.integers(0, 400), max_size=12))
@settings(max_examples=150, deadline=None)
def test_any_split_with_patterns_of_the_teams_own(text: str, places: list[int]) -> None:
    check(OWN, cut(text, places))


@pytest.mark.parametrize("finder", [PLAIN, OWN], ids=["detectors", "patterns"])
def test_every_labelled_line_character_by_character(finder: Finder) -> None:
    for line in lines():
        check(finder, list(line.text))


def test_plain_words_are_held_for_a_word_only() -> None:
    passage = Passage(PLAIN)
    assert passage.feed("Hello wor").text == "Hello "
    assert passage.feed("ld, this").text == "world, "
    assert passage.feed(" is it.\n").text == "this is it.\n"


def test_groups_of_a_number_are_held_until_it_is_known() -> None:
    passage = Passage(PLAIN)
    assert passage.feed("Pay with 4111 1111 ").text == "Pay with "
    assert passage.feed("1111 1111 t").text == "[CREDIT_CARD_REDACTED] "


def test_a_language_without_spaces_is_not_held() -> None:
    assert Passage(PLAIN).feed("敏捷的棕色狐狸").text == "敏捷的棕色狐狸"


def test_what_is_held_is_bounded() -> None:
    passage, shown = Passage(PLAIN), 0
    for n in range(4 * LONGEST_HELD):
        shown += len(passage.feed("a").text)
        assert n + 1 - shown <= LONGEST_HELD


def test_a_token_longer_than_what_is_held_never_shows_its_rest() -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx" + "Q2" * LONGEST_HELD + ".c2lnbmF0dXJl"
    passage, shown = Passage(PLAIN), ""
    for start in range(0, len(token), 97):
        shown += passage.feed(token[start : start + 97]).text
    shown += passage.feed(" end").text + passage.flush().text
    assert shown == "[JWT_REDACTED] end"


def test_kinds_are_told_once_each_find() -> None:
    passage = Passage(PLAIN)
    kinds = passage.feed("a@example.com b@exam").kinds + passage.feed("ple.com").kinds
    assert (*kinds, *passage.flush().kinds) == ("email", "email")
