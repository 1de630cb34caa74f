"""A JSON Schema as Anthropic wants it: every object says that it has no other fields.

Source: Anthropic, "Structured outputs", JSON Schema limitations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast


def closed(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Close the objects that leave it open; what then fits has fitted before."""
    made = {name: _closed(value) for name, value in schema.items()}
    if made.get("type") == "object" and "additionalProperties" not in made:
        made["additionalProperties"] = False
    return made


def _closed(value: object) -> Any:
    if isinstance(value, Mapping):
        return closed(cast("Mapping[str, Any]", value))
    if isinstance(value, list):
        return [_closed(each) for each in cast("list[object]", value)]
    return value
