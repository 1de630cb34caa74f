"""Where values come from: the environment, files named by the environment, one settings file."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from gaiweb.config.faults import Fault
from gaiweb.config.names import Declared


@dataclass(slots=True)
class Readings:
    """`tree` is what the model validates; `sources` says where each value was found."""

    tree: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def put(self, entry: Declared, value: Any, source: str) -> None:
        branch = self.tree
        for step in entry.path[:-1]:
            branch = branch.setdefault(step, {})
        branch[entry.path[-1]] = value
        self.sources[entry.name] = source


def read(environ: Mapping[str, str], declared: Iterable[Declared]) -> Readings:
    """Collect values; an empty string in the environment counts as unset."""
    readings = Readings()
    entries = list(declared)
    file = _settings_file(environ.get("CONFIG_PATH", ""), entries, readings)
    for entry in entries:
        if value := environ.get(entry.name):
            readings.put(entry, value, "environment")
        if entry.is_secret and (path := environ.get(f"{entry.name}_FILE")):
            _secret_file(entry, Path(path), readings)
        if entry.name not in readings.sources and entry.name in file:
            readings.put(entry, file[entry.name], f"file {environ['CONFIG_PATH']}")
    _keep_group_defaults(readings, entries)
    return readings


def _secret_file(entry: Declared, path: Path, readings: Readings) -> None:
    name = f"{entry.name}_FILE"
    if entry.name in readings.sources:
        readings.faults.append(Fault(name, f"is set, and so is {entry.name}", "Keep one of them."))
        return
    try:
        readings.put(entry, path.read_text().strip(), f"file {path}")
    except (OSError, UnicodeDecodeError) as error:
        words = error.strerror if isinstance(error, OSError) else "it is not text"
        readings.faults.append(Fault(name, f"names a file that cannot be read: {words}"))


def _settings_file(path: str, entries: list[Declared], readings: Readings) -> dict[str, Any]:
    if not path:
        return {}
    try:
        values = _flat(_parsed(Path(path)))
    except (OSError, UnicodeDecodeError, ValueError, yaml.YAMLError) as error:
        fault = f"names a file that cannot be used: {_words(error)}"
        readings.faults.append(Fault("CONFIG_PATH", fault))
        return {}
    known = [entry.name for entry in entries if entry.name != "CONFIG_PATH"]
    for name in sorted(values.keys() - set(known)):
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean {near[0]}?" if near else "The README lists every setting."
        readings.faults.append(Fault(name, f"in {path} is no setting", hint))
    return values


def _parsed(path: Path) -> Mapping[str, Any]:
    text = path.read_text()
    if path.suffix == ".toml":
        return tomllib.loads(text)
    if path.suffix not in {".yaml", ".yml"}:
        raise ValueError("its name must end in .yaml, .yml or .toml")
    values = yaml.safe_load(text) or {}
    if not isinstance(values, Mapping):
        raise ValueError("it must hold names and values")  # noqa: TRY004 - one kind for callers
    return values


def _words(error: Exception) -> str:
    """Tell what is wrong and where; YAML's own words quote the line, which may hold a secret."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"{error.problem} (at line {mark.line + 1}, column {mark.column + 1})"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return " ".join(str(error).split())


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Join nested names, so that `openai: {api_key: x}` means OPENAI_API_KEY."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}".upper()
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{name}_")
        elif value is not None:
            flat[name] = value
    return flat


def _keep_group_defaults(readings: Readings, entries: list[Declared]) -> None:
    """Fill a group that was set in part from its own defaults, not from its class's."""
    for entry in entries:
        group = readings.tree.get(entry.path[0]) if len(entry.path) > 1 else None
        if group is not None and entry.default:
            group.setdefault(entry.path[-1], entry.default)
