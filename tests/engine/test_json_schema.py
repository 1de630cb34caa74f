"""Schemas of callers and operators: refused early, applied without harm."""

from __future__ import annotations

from typing import Any

import pytest

from providers.engine import json_schema
from providers.engine.errors import InvalidRequest

PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string", "pattern": "^[A-Z]"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def test_what_fits_has_no_faults() -> None:
    assert json_schema.faults(PERSON, {"name": "Ada", "age": 36}) == []


def test_faults_name_their_paths_in_the_words_of_the_schema() -> None:
    found = json_schema.faults(PERSON, {"name": "ada", "city": "London"})
    assert '$.name: must satisfy pattern "^[A-Z]"' in found
    assert "$: lacks age" in found
    assert "$: must satisfy additionalProperties false" in found


def test_faults_say_nothing_of_the_value() -> None:
    found = json_schema.faults(PERSON, {"name": "my secret", "age": "another secret"})
    assert len(found) == 2
    assert "secret" not in str(found)


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ("text", "must be a JSON Schema object"),
        ({"type": "number or so"}, "no JSON Schema"),
        ({"$ref": "https://example.org/schema.json"}, "leads out of it"),
        ({"properties": {"a": {"pattern": "(?=x)"}}}, "look-around"),
        ({"patternProperties": {"^(a+)+$": {}}}, "patternProperties"),
        ({"description": "x" * 70_000}, "longer than"),
        ({"default": {1, 2}}, "not JSON"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_with_its_field(schema: object, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words) as caught:
        json_schema.check(schema, "response_schema")
    assert caught.value.param == "response_schema"


def test_a_good_schema_passes() -> None:
    json_schema.check(PERSON, "response_schema")


def test_a_schema_that_refers_to_itself_without_end_hangs_nothing() -> None:
    assert json_schema.faults({"$ref": "#"}, {}) != []
    assert json_schema.faults({"$ref": "#/$defs/missing"}, {}) != []


def test_a_pattern_that_python_would_chew_on_for_years_is_done_at_once() -> None:
    evil = {"type": "string", "pattern": "^(a+)+$"}
    assert json_schema.faults(evil, "a" * 50 + "!") != []
