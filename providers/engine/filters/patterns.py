"""Patterns that operators write, run by RE2: its time is linear in the text, whatever they write.

A find is at most `LONGEST` characters and lies in one line, so that answers can be searched while
they come.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import re2 as untyped  # pyright: ignore[reportMissingTypeStubs]

from providers.engine.policy import NamedPattern

Place = tuple[int, int]
re2: Any = untyped

LONGEST = 128
LONGEST_PATTERN = 300
MOST_PATTERNS = 20
_MEMORY = 1 << 20
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9 _-]{0,39}")
_LINE = re.compile(r"[^\n]+")


class PatternFault(ValueError):
    """What is wrong with a name or a pattern, in a sentence, and what to write instead."""


@dataclass(frozen=True, slots=True)
class Pattern:
    name: str
    compiled: Any

    def places(self, text: str) -> Iterator[Place]:
        """Each line is searched from window to window, so that no line is too long."""
        for line in _LINE.finditer(text):
            yield from self._in_line(text, line.start(), line.end())

    def _in_line(self, text: str, at: int, end: int) -> Iterator[Place]:
        while at < end:
            beyond = at + LONGEST
            start = self._search(text, at, min(beyond + LONGEST, end))
            if start is None or start >= beyond:
                # Nothing begins before that: go on there, with the whole view again.
                at = beyond if start is None else start
                continue
            stop = self._match(text, start, min(start + LONGEST, end))
            if stop > start:
                yield start, stop
            at = max(stop, start + 1)

    def _search(self, text: str, at: int, until: int) -> int | None:
        lead = min(at, 1)
        found = self.compiled.search(text[at - lead : until], lead)
        return None if found is None else at - lead + int(found.start())

    def _match(self, text: str, at: int, until: int) -> int:
        """Return where a find that begins at `at` ends; `at` itself: there is none."""
        lead = min(at, 1)
        found = self.compiled.match(text[at - lead : until], lead)
        return at if found is None else at - lead + int(found.end())


def compiled(named: NamedPattern) -> Pattern:
    """Raise PatternFault."""
    if _NAME.fullmatch(named.name) is None:
        raise PatternFault(
            "A name begins with a letter and has at most 40 letters, digits, spaces, _ or -."
        )
    if not named.pattern:
        raise PatternFault("The pattern is empty.")
    if len(named.pattern) > LONGEST_PATTERN:
        raise PatternFault(
            f"The pattern has {len(named.pattern)} characters; at most {LONGEST_PATTERN} may be."
        )
    found = _compiled(named.pattern)
    if found.search("") is not None:
        raise PatternFault("The pattern also finds nothing at all; let it ask for a character.")
    return Pattern(named.name, found)


def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.max_mem = _MEMORY
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as fault:
        said: object = fault.args[0] if fault.args else ""
        words = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        raise PatternFault(
            f"RE2 cannot read the pattern: {words}. Look-around and back-references are not known."
        ) from None
