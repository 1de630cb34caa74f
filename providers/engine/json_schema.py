"""JSON Schema 2020-12 for tools and answers: checked before use, never fetched, never slow.

Patterns run on RE2, because a caller writes them and a model the text: no pair of these may hang a
process. References lead within the schema only.
"""

# Neither jsonschema nor RE2 comes with types of its own.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import re2
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import SchemaError
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

from providers.engine.errors import InvalidRequest

MOST_BYTES = 64 * 1024
_MOST_FAULTS = 8
_MOST_SHOWN = 120
_REGISTRY: Any = Registry()


def check(schema: object, param: str) -> None:
    """Raise InvalidRequest where `schema` cannot be used; `param` is the path of its field."""
    if not isinstance(schema, dict):
        raise InvalidRequest(f"{param} must be a JSON Schema object.", param=param)
    try:
        if len(json.dumps(schema)) > MOST_BYTES:
            raise InvalidRequest(f"{param} is longer than {MOST_BYTES:,} bytes.", param=param)
        Draft202012Validator.check_schema(schema)
        fault = next(_unusable(cast("Mapping[str, Any]", schema)), None)
    except SchemaError as error:
        raise InvalidRequest(f"{param} is no JSON Schema: {_words(error)}.", param=param) from None
    except (RecursionError, TypeError, ValueError):
        fault = "it is nested too deeply or holds something that is not JSON"
    if fault is not None:
        raise InvalidRequest(f"{param} cannot be used: {fault}.", param=param)


def faults(schema: Mapping[str, Any], value: object) -> list[str]:
    """Say where `value` breaks the schema, in the schema's own words; empty: it fits.

    Nothing of the value itself is in them, so that they may be shown and logged.
    """
    validator = _Validator(schema, registry=_REGISTRY)
    found: list[str] = []
    try:
        for error in cast("Iterator[ValidationError]", validator.iter_errors(value)):
            found.append(_words(error))
            if len(found) == _MOST_FAULTS:
                break
    except (RecursionError, Unresolvable):
        found.append("$: the schema refers to itself without end, or to what is not in it")
    return found


def _words(error: ValidationError | SchemaError) -> str:
    keyword, wanted = str(error.validator), cast("object", error.validator_value)
    if keyword == "required" and isinstance(error.instance, dict):
        names = cast("Sequence[str]", wanted)
        missing = [name for name in names if name not in error.instance]
        return f"{error.json_path}: lacks {', '.join(missing)}"
    shown = json.dumps(wanted, default=str)
    if len(shown) > _MOST_SHOWN:
        shown = shown[:_MOST_SHOWN] + "..."
    return f"{error.json_path}: must satisfy {keyword} {shown}"


def _unusable(schema: object) -> Iterator[str]:
    if isinstance(schema, list):
        for each in cast("list[object]", schema):
            yield from _unusable(each)
    elif isinstance(schema, dict):
        for name, inner in cast("dict[str, object]", schema).items():
            yield from _unusable_keyword(name, inner)
            yield from _unusable(inner)


def _unusable_keyword(name: str, value: object) -> Iterator[str]:
    if name == "patternProperties" and isinstance(value, dict):
        yield "patternProperties is not supported"
    if name == "$ref" and isinstance(value, str) and not value.startswith("#"):
        yield f"the reference {value[:60]!r} leads out of it; only #/... is followed"
    if name == "pattern" and isinstance(value, str):
        try:
            _compiled(value)
        except re2.error:
            yield f"the pattern {value[:60]!r} needs look-around or back-references"


def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


def _pattern(
    validator: object, pattern: str, value: object, schema: object
) -> Iterator[ValidationError]:
    del validator, schema  # jsonschema's signature
    if isinstance(value, str) and not _compiled(pattern).search(value):
        yield ValidationError("does not match")


# Its stubs leave this one function untyped.
_Validator: Any = extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]
