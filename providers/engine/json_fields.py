"""JSON from elsewhere, which may hold anything: what is not as expected reads as absent."""

from __future__ import annotations

from typing import Any, cast

import orjson

from providers.engine.errors import UpstreamGarbled

Fields = dict[str, Any]


def parsed(data: bytes, name: str) -> Fields:
    """Read an object of the provider `name`. Raises UpstreamGarbled."""
    try:
        found: object = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise UpstreamGarbled(f"{name} sent something that is not JSON.") from error
    if not isinstance(found, dict):
        raise UpstreamGarbled(f"{name} sent JSON that its wire format does not know.")
    return cast("Fields", found)


def count(fields: Fields, name: str) -> int:
    """Read a number of tokens; a negative one would be a credit."""
    value = fields.get(name)
    return max(value, 0) if isinstance(value, int) else 0


def text(fields: Fields, name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def inner(fields: Fields, name: str) -> Fields:
    value = fields.get(name)
    return cast("Fields", value) if isinstance(value, dict) else {}


def object_of(written: str) -> Fields | None:
    """Read an object that a model or a tool wrote; None: it is none."""
    try:
        found: object = orjson.loads(written)
    except orjson.JSONDecodeError:
        return None
    return cast("Fields", found) if isinstance(found, dict) else None


def arguments(written: str) -> Fields:
    """Read a call's arguments, which may be malformed, for a wire that takes an object only."""
    found = object_of(written or "{}")
    return found if found is not None else {"malformed": written}


def objects(value: object) -> list[Fields]:
    """Take the objects out of what should be a list of them."""
    if not value or not isinstance(value, list):
        return []
    return [cast("Fields", each) for each in cast("list[object]", value) if isinstance(each, dict)]


def numbers(value: object) -> tuple[float, ...]:
    """Take a vector; empty where there is none, or something in it is no number."""
    if not isinstance(value, list):
        return ()
    listed = cast("list[object]", value)
    found = tuple(float(each) for each in listed if isinstance(each, int | float))
    return found if len(found) == len(listed) else ()
