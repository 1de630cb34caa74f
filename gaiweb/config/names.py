"""Which name in the environment stands for which field of the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined


@dataclass(frozen=True, slots=True)
class Declared:
    """One setting. `path` leads to its field, `default` is in words for the README's table.

    A secret may be given as `NAME_FILE`, and is masked wherever the configuration is shown.
    `is_live`: running processes follow when the file changes; else it takes a restart.
    """

    name: str
    path: tuple[str, ...]
    default: str
    meaning: str
    is_secret: bool
    is_live: bool


def declared(model: type[BaseModel]) -> list[Declared]:
    """List all settings in the order in which they are declared."""
    return [entry for name, field in model.model_fields.items() for entry in _of(name, field)]


def by_location(model: type[BaseModel]) -> dict[tuple[str, ...], Declared]:
    return {entry.path: entry for entry in declared(model)}


def _of(name: str, field: FieldInfo) -> list[Declared]:
    extra = _extra(field)
    if "prefix" not in extra:
        return [_entry(extra["env"], (name,), field)]
    group = field.annotation
    defaults, is_live = field.get_default(call_default_factory=True), extra.get("live", False)
    return [
        _entry(f"{extra['prefix']}{inner}".upper(), (name, inner), inner_field, defaults, is_live)
        for inner, inner_field in getattr(group, "model_fields", {}).items()
    ]


def _entry(
    name: str,
    path: tuple[str, ...],
    field: FieldInfo,
    group: Any = None,
    group_is_live: bool = False,  # noqa: FBT001, FBT002 - what a group says for all of its fields
) -> Declared:
    extra = _extra(field)
    default = field.default if group is None else getattr(group, path[-1])
    return Declared(
        name=name,
        path=path,
        default=extra.get("default_in_words", _words(default)),
        meaning=field.description or "",
        is_secret=extra.get("secret", False),
        is_live=extra.get("live", group_is_live),
    )


def _extra(field: FieldInfo) -> dict[str, Any]:
    extra = field.json_schema_extra
    return dict(extra) if isinstance(extra, dict) else {}


def _words(default: Any) -> str:
    if default is None or default is PydanticUndefined or default in {"", ()}:
        return ""
    if isinstance(default, bool):
        return "true" if default else "false"
    return f"{default:g}" if isinstance(default, float) else str(default)
