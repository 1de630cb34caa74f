"""Files and pasted texts of prompts, and what is said of those that cannot be taken."""

from __future__ import annotations

import pytest

from conversations.batches.prompts import (
    Format,
    Prompt,
    PromptsRefused,
    decoded,
    format_of,
    read,
)


def refusal(text: str, form: Format, most: int = 10) -> tuple[str, ...]:
    with pytest.raises(PromptsRefused) as refused:
        read(text, form, most)
    return refused.value.faults


def test_each_line_that_is_not_empty_is_a_prompt() -> None:
    assert read("one\r\n\n  two  \n", Format.LINES, 10) == [
        Prompt("one", "", "", 1),
        Prompt("two", "", "", 3),
    ]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_csv_is_read_by_its_header_whatever_splits_it(mark: str) -> None:
    rows = [("ID", "Prompt", "other", "system"), ("7", '"two\nlines"', "x", ""), ("", "b", "", "S")]
    text = "\n".join(mark.join(row) for row in rows)
    assert read(text, Format.CSV, 10) == [
        Prompt("two\nlines", "", "7", 2),
        Prompt("b", "S", "", 4),
    ]


def test_json_lines_take_numbers_as_ids_and_separators_of_unicode_within() -> None:
    text = '{"prompt": "a\u2028b", "id": 7}\n\n{"prompt": "c", "system": "S", "more": 1}'
    assert read(text, Format.JSONL, 10) == [
        Prompt("a\u2028b", "", "7", 1),
        Prompt("c", "S", "", 3),
    ]


def test_every_faulty_line_is_named_with_what_is_wrong() -> None:
    text = "\n".join([
        '{"prompt": "good", "id": "a"}',
        '{"prompt": ',
        '["a"]',
        '{"system": "S"}',
        '{"prompt": 7}',
        '{"prompt": "b", "id": "a"}',
        '{"prompt": "\\u0000"}',
        '{"prompt": "\\ud800"}',
        '{"prompt": "c", "id": "' + "x" * 201 + '"}',
    ])
    assert refusal(text, Format.JSONL) == (
        "Line 2: this is not JSON.",
        'Line 3: this is not an object such as {"prompt": "..."}.',
        "Line 4: the prompt is empty.",
        "Line 5: `prompt` is not a text.",
        "Line 6: the id 'a' is also that of line 1.",
        "Line 7: it holds a character that cannot be stored.",
        "Line 8: it holds a character that cannot be stored.",
        "Line 9: the id has 201 characters; at most 200.",
    )


@pytest.mark.parametrize(
    ("text", "form", "words"),
    [
        ("a\nb\nc", Format.LINES, "There are 3 prompts; a batch has at most 2."),
        (" \n", Format.LINES, "There is no prompt in it."),
        ("", Format.CSV, "Line 1: the header has no column `prompt`."),
        ("question\nwhy?", Format.CSV, "Line 1: the header has no column `prompt`."),
        ('prompt\na\n"b" c', Format.CSV, "Line 3 is not CSV"),
        ("prompt,id\n ,7", Format.CSV, "Line 2: the prompt is empty."),
    ],
)
def test_what_is_no_list_of_prompts_is_refused_whole(text: str, form: Format, words: str) -> None:
    assert refusal(text, form, 2)[0].startswith(words)


def test_a_file_is_utf_8_with_or_without_its_mark() -> None:
    assert decoded("\ufeffgrün".encode()) == "grün"
    with pytest.raises(PromptsRefused, match="Line 2 is not UTF-8"):
        decoded(b"a\ngr\xfcn")


@pytest.mark.parametrize(
    ("name", "form"),
    [("a.csv", Format.CSV), ("A.JSONL", Format.JSONL), ("a.txt", Format.LINES), ("a", "lines")],
)
def test_a_file_s_name_says_how_it_is_written(name: str, form: Format) -> None:
    assert format_of(name) == form
