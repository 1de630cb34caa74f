"""Types of JSON values, each refused with its path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import orjson

from providers.engine.errors import InvalidRequest

T = TypeVar("T")


def json_object(body: bytes) -> dict[str, Any]:
    """Read a whole body. Raises InvalidRequest."""
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as fault:
        raise InvalidRequest(
            f"The body is not JSON: line {fault.lineno}, column {fault.colno}."
        ) from None
    if not isinstance(fields, dict):
        raise InvalidRequest("The body is not a JSON object.")
    return fields


def text(value: Any, path: str) -> str:
    return _typed(value, str, path, "a string")


def mapping(value: Any, path: str) -> dict[str, Any]:
    return _typed(value, dict, path, "an object")


def items(value: Any, path: str) -> list[Any]:
    return _typed(value, list, path, "an array")


def boolean(value: Any, path: str) -> bool:
    return _typed(value, bool, path, "true or false")


def integer(value: Any, path: str) -> int:
    if isinstance(value, bool):
        raise InvalidRequest(f"`{path}` must be an integer.", param=path)
    return _typed(value, int, path, "an integer")


def number(value: Any, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidRequest(f"`{path}` must be a number.", param=path)
    return float(value)


def optional(fields: Mapping[str, Any], name: str, kind: Callable[[Any, str], T]) -> T | None:
    """Absent and null are the same: unset."""
    value = fields.get(name)
    return None if value is None else kind(value, name)


def _typed(value: Any, kind: type[T], path: str, words: str) -> T:
    if not isinstance(value, kind):
        missing = "is missing; it" if value is None else ""
        raise InvalidRequest(f"`{path}` {missing} must be {words}.".replace("  ", " "), param=path)
    return value
