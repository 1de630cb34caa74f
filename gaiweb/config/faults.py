"""What is wrong with a configuration, told all at once and by the names people set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from gaiweb.config.names import Declared


@dataclass(frozen=True, slots=True)
class Fault:
    """`message` never repeats the value: it may be a secret."""

    name: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.message}." + (f" {self.hint}" if self.hint else "")


class ConfigInvalid(Exception):
    """The configuration cannot be used; `faults` has all reasons."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(f"  {fault}" for fault in self.faults))


def from_pydantic(
    error: ValidationError,
    known: Mapping[tuple[str, ...], Declared],
    sources: Mapping[str, str],
) -> list[Fault]:
    return [
        _fault(tuple(str(step) for step in detail["loc"]), detail["msg"], known, sources)
        for detail in error.errors(include_url=False, include_context=False, include_input=False)
    ]


def _fault(
    location: tuple[str, ...],
    message: str,
    known: Mapping[tuple[str, ...], Declared],
    sources: Mapping[str, str],
) -> Fault:
    entry = known.get(location[:2]) or known.get(location[:1])
    if entry is None:
        return Fault(".".join(location), message)
    words = message.removeprefix("Value error, ")
    words = f"{words[0].lower()}{words[1:]}".replace("input should be", "should be")
    source = sources.get(entry.name, "default")
    default = f" Its default is {entry.default}." if entry.default else ""
    return Fault(entry.name, words, f"It was read from the {source}. {entry.meaning}{default}")
