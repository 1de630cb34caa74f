"""What is found in the labelled set, and what E11 says must and must not be."""

from __future__ import annotations

import time
from typing import Any

import pytest

from providers.engine.filters.finder import DetectorFailed, Finder, finder_of
from providers.engine.filters.patterns import PatternFault, compiled
from providers.engine.filters.spans import Kind, Span, merged, placeholder, replaced
from providers.engine.policy import NamedPattern, Policy
from tests.engine.filters.labelled import Line, lines
from tests.engine.filters.scores import PROPERTY

FINDER = finder_of(Policy())
LABELLED = list(lines())
LEAST_PRECISION, LEAST_RECALL = 0.97, 0.85


def found(text: str, finder: Finder = FINDER) -> list[tuple[str, str]]:
    return [(span.kind, text[span.start : span.end]) for span in finder.find(text)]


def redacted(text: str, finder: Finder = FINDER) -> str:
    return replaced(text, finder.find(text))


def hits_of(kind: Kind, line: Line) -> tuple[set[Any], set[Any]]:
    wanted = {each for each in line.finds if each[0] == kind}
    got = {(each.kind, each.start, each.end) for each in FINDER.find(line.text)}
    return wanted, {each for each in got if each[0] == kind}


@pytest.mark.parametrize("kind", list(Kind))
def test_precision_and_recall_over_the_labelled_set(kind: Kind, record_property: Any) -> None:
    pairs = [hits_of(kind, line) for line in LABELLED]
    right = sum(len(wanted & got) for wanted, got in pairs)
    wrong = sum(len(got - wanted) for wanted, got in pairs)
    missed = sum(len(wanted - got) for wanted, got in pairs)
    record_property(PROPERTY, f"{kind}/{right}/{wrong}/{missed}")
    assert right >= 4
    assert right / (right + wrong) >= LEAST_PRECISION
    assert right / (right + missed) >= LEAST_RECALL


def test_the_labelled_set_has_its_hard_negatives() -> None:
    assert len(LABELLED) >= 150
    assert sum(not line.finds for line in LABELLED) >= 75


@pytest.mark.parametrize(
    "text",
    ["order 123456789", "1700000000", "192.168.100.1000", "1234567812345678", "git@github.com:a/b"],
)
def test_it_must_not_fire_on_what_only_looks_like_it(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("+1 (415) 555-2671", "phone"),
        ("3782 822463 10005", "credit_card"),
        ("GB82 WEST 1234 5698 7654 32", "iban"),
        ("".join(chr(ord(each) + 0xFEE0) for each in "alice@example.com"), "email"),
        ("al\u200bice@exam\u200bple.com", "email"),
    ],
)
def test_it_must_fire_whole(text: str, kind: str) -> None:
    assert found(text) == [(kind, text)]
    assert redacted(f"x {text} y") == f"x {placeholder(kind)} y"


def test_placeholders_are_those_of_the_guide() -> None:
    assert [placeholder(kind) for kind in ("email", "phone", "ssn", "credit_card")] == [
        "[EMAIL_REDACTED]",
        "[PHONE_REDACTED]",
        "[SSN_REDACTED]",
        "[CREDIT_CARD_REDACTED]",
    ]
    assert placeholder("Case no") == "[CASE_NO_REDACTED]"


def test_redaction_is_deterministic_and_changes_nothing_twice() -> None:
    for line in LABELLED:
        once = redacted(line.text)
        assert once == redacted(line.text)
        assert redacted(once) == once


def test_the_same_secret_has_the_same_placeholder_wherever_it_stands() -> None:
    assert redacted("a@example.com, a@example.com") == "[EMAIL_REDACTED], [EMAIL_REDACTED]"


def test_overlapping_finds_become_one_with_the_most_telling_name() -> None:
    spans = [Span(0, 5, "phone"), Span(3, 9, "iban"), Span(9, 12, "email")]
    joined = [Span(0, 9, "iban"), Span(9, 12, "email")]
    assert merged(spans) == merged(reversed(spans)) == joined
    assert merged([Span(0, 4, "email"), Span(0, 4, "Mine")]) == [Span(0, 4, "Mine")]


def test_only_what_is_asked_for_is_looked_for() -> None:
    finder = finder_of(Policy(pii_detectors=("ssn",)))
    assert found("123-45-6789 a@example.com", finder) == [("ssn", "123-45-6789")]


def test_what_is_allowed_passes_in_any_form() -> None:
    finder = finder_of(Policy(pii_allow=("Help@example.com", "@ours.example", "+1 415 555 2671")))
    text = "help@example.com, ann@ours.example, +1 (415) 555-2671, bob@example.com"
    assert found(text, finder) == [("email", "bob@example.com")]


def test_a_number_of_another_country_needs_its_region() -> None:
    german = finder_of(Policy(), regions=("DE",))
    assert found("030 901820") == []
    assert found("030 901820", german) == [("phone", "030 901820")]


def test_a_teams_own_pattern_is_found_under_its_name() -> None:
    finder = finder_of(Policy(pii_patterns=(NamedPattern("Case number", r"ACME-\d{6}"),)))
    assert redacted("see ACME-123456.", finder) == "see [CASE_NUMBER_REDACTED]."


@pytest.mark.parametrize(
    ("name", "pattern", "words"),
    [
        ("", "a", "name"),
        ("1st", "a", "name"),
        ("Mine", "", "empty"),
        ("Mine", "a" * 301, "at most 300"),
        ("Mine", "a*", "nothing at all"),
        ("Mine", "(", "RE2 cannot read"),
        ("Mine", r"(a)\1", "RE2 cannot read"),
        ("Mine", "(?=a)a", "Look-around"),
    ],
)
def test_a_faulty_pattern_is_refused_with_the_way_out(name: str, pattern: str, words: str) -> None:
    with pytest.raises(PatternFault, match=words):
        compiled(NamedPattern(name, pattern))


def test_no_pattern_can_hang_a_process() -> None:
    finder = finder_of(Policy(pii_patterns=(NamedPattern("Evil", r"(a+)+b"),)))
    began = time.perf_counter()
    assert finder.find("a" * 20_000) == []
    assert time.perf_counter() - began < 2


def test_a_find_of_a_pattern_has_at_most_128_characters_of_one_line() -> None:
    finder = finder_of(Policy(pii_patterns=(NamedPattern("Mine", r"secret.*"),)))
    assert redacted(f"secret a\nb secret {'x' * 200}", finder) == (
        f"[MINE_REDACTED]\nb [MINE_REDACTED]{'x' * (200 - 128 + 7)}"
    )


def test_a_hundred_kilobytes_take_a_moment() -> None:
    text = "In 2024 the quick brown fox met 37 others, über alle Brücken. " * 1_650
    FINDER.find(text)
    began = time.perf_counter()
    assert FINDER.find(text) == []
    assert time.perf_counter() - began < 0.5


def test_a_detector_that_breaks_says_so_and_nothing_of_the_text() -> None:
    def broken(text: str) -> list[tuple[int, int]]:
        raise ValueError(text)

    with pytest.raises(DetectorFailed) as caught:
        Finder({"email": broken}).find("my secret")
    assert str(caught.value) == "email"
