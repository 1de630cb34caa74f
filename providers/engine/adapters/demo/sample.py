"""The smallest value that a JSON Schema allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

_DEEPEST = 8

Schema = Mapping[str, Any]

_FORMATS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "email": "demo@example.org",
    "uri": "https://example.org/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


@dataclass(frozen=True, slots=True)
class Sampler:
    """`topic` stands where a text is free. Patterns are not understood."""

    root: Schema
    topic: str

    def value(self) -> Any:
        return self._any(self.root, 0)

    def _any(self, schema: Schema, depth: int) -> Any:
        schema = self._resolved(schema)
        for given in ("const", "default"):
            if given in schema:
                return schema[given]
        for listed in ("examples", "enum"):
            if schema.get(listed):
                return schema[listed][0]
        return self._typed(schema, depth)

    def _typed(self, schema: Schema, depth: int) -> Any:
        kind = _kind(schema)
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            return self._array(schema, depth)
        if kind == "string":
            return self._text(schema)
        return {"boolean": True, "null": None}.get(kind, _number(schema))

    def _resolved(self, schema: Schema) -> Schema:
        for _ in range(_DEEPEST):
            pointer = schema.get("$ref")
            if isinstance(pointer, str) and pointer.startswith("#/"):
                schema = self._at(pointer)
            elif (first := _first_of(schema)) is not None:
                schema = first
            else:
                break
        return schema

    def _at(self, pointer: str) -> Schema:
        found: Any = self.root
        for step in pointer[2:].split("/"):
            found = found.get(step, {})
        return cast("Schema", found)

    def _object(self, schema: Schema, depth: int) -> dict[str, Any]:
        properties: Mapping[str, Schema] = schema.get("properties", {})
        if depth >= _DEEPEST:
            required = set(schema.get("required", ()))
            properties = {name: each for name, each in properties.items() if name in required}
        return {name: self._any(each, depth + 1) for name, each in properties.items()}

    def _array(self, schema: Schema, depth: int) -> list[Any]:
        fewest = int(schema.get("minItems", 1 if depth < _DEEPEST else 0))
        return [self._any(schema.get("items", {}), depth + 1) for _ in range(fewest)]

    def _text(self, schema: Schema) -> str:
        text = _FORMATS.get(str(schema.get("format")), self.topic)
        shortest, longest = int(schema.get("minLength", 0)), int(schema.get("maxLength", len(text)))
        return text.ljust(shortest, ".")[: max(longest, shortest)]


def _kind(schema: Schema) -> str:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        return next((each for each in cast("list[str]", kind) if each != "null"), "null")
    return str(kind)


def _first_of(schema: Schema) -> Schema | None:
    for choice in ("anyOf", "oneOf", "allOf"):
        choices: list[Schema] = schema.get(choice, [])
        if choices:
            return choices[0]
    return None


def _number(schema: Schema) -> int | float:
    least = schema.get("minimum", schema.get("exclusiveMinimum"))
    if least is None:
        number = min(1, schema.get("maximum", 1))
    else:
        number = least + ("minimum" not in schema)
    step = schema.get("multipleOf")
    if step:
        number = -(-number // step) * step
    return int(number) if schema.get("type") == "integer" else number
