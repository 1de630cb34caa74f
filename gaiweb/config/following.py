"""What a running process takes of a newer configuration, and what has to wait for its restart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from gaiweb.config import names
from gaiweb.config.model import Config

_DERIVED = {"default", "embedded", "generated"}


@dataclass(frozen=True, slots=True)
class Followed:
    """`config` is what the process runs from now on. The others are names of settings.

    `waiting` differ in the newer one, and what uses them looks only when it starts.
    """

    config: Config
    changed: tuple[str, ...]
    waiting: tuple[str, ...]


def follow(old: Config, new: Config) -> Followed:
    declared = names.declared(Config)
    differing = [entry for entry in declared if old.value(entry) != new.value(entry)]
    live = [entry for entry in differing if entry.is_live]
    waiting = {
        entry.name for entry in differing if not (entry.is_live or _is_derived(entry, old, new))
    }
    config = _with(old, live, new)
    config.note_sources({
        entry.name: new.source(entry.name)
        for entry in declared
        if entry.is_live or entry not in differing
    })
    return Followed(config, tuple(entry.name for entry in live), tuple(sorted(waiting)))


def _is_derived(entry: names.Declared, old: Config, new: Config) -> bool:
    """Tell whether nobody set it, so that it only follows from others, as addresses do."""
    return old.source(entry.name) in _DERIVED and new.source(entry.name) in _DERIVED


def _with(old: Config, entries: Iterable[names.Declared], new: Config) -> Config:
    values: dict[str, Any] = {}
    groups: dict[str, dict[str, Any]] = {}
    for entry in entries:
        first, *inner = entry.path
        if inner:
            groups.setdefault(first, {})[inner[0]] = new.value(entry)
        else:
            values[first] = new.value(entry)
    for name, changed in groups.items():
        group: BaseModel = getattr(old, name)
        values[name] = group.model_copy(update=changed)
    return old.model_copy(update=values)
