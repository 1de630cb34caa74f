"""Text as detectors see it: one form of each digit, letter, space and dash; offsets are kept."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass

# Blocks whose characters may stand for an ASCII one: punctuation and spaces, super- and
# subscripts, letterlike, enclosed and fullwidth forms, mathematical letters, digits of scripts.
_BLOCKS = (
    (0x80, 0x3100),
    (0xA8D0, 0xAC00),
    (0xFE00, 0x10000),
    (0x1D400, 0x1D800),
    (0x1F100, 0x1F200),
    (0xE0000, 0xE0080),
)
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"
# Beside the marks of direction and the joiners (Cf): grapheme joiner and variation selectors.
_UNSEEN = "\u034f" + "".join(map(chr, range(0xFE00, 0xFE10)))


def _table() -> dict[str, str]:
    table: dict[str, str] = {}
    for first, beyond in _BLOCKS:
        for code in range(first, beyond):
            character = chr(code)
            plain = _plain(character)
            if plain != character and plain.isascii():
                table[character] = plain
    return table


def _plain(character: str) -> str:
    if character in _DASHES:
        return "-"
    if unicodedata.category(character) == "Cf" or character in _UNSEEN:
        return ""
    digit = unicodedata.decimal(character, None)
    return str(digit) if digit is not None else unicodedata.normalize("NFKC", character)


_TABLE = _table()
_FOLDABLE = frozenset(_TABLE)


@dataclass(frozen=True, slots=True)
class Folded:
    """`starts[n]` is a place in `text` that stands at `sources[n]` in the source."""

    text: str
    starts: tuple[int, ...] = (0,)
    sources: tuple[int, ...] = (0,)

    def source(self, place: int) -> int:
        """Where the character at `place` stands in the source; beyond the last one: its end."""
        n = bisect_right(self.starts, place) - 1
        found = self.sources[n] + place - self.starts[n]
        if n + 1 < len(self.starts):
            # One character may fold to several; all of them stand where it stood.
            return min(found, self.sources[n + 1] - 1)
        return found

    def span(self, start: int, end: int) -> tuple[int, int]:
        return self.source(start), self.source(end - 1) + 1


def folded(text: str) -> Folded:
    present = _FOLDABLE.intersection(text) if not text.isascii() else None
    if not present:
        return Folded(text)
    foldable = re.compile(f"[{re.escape(''.join(present))}]")
    pieces: list[str] = []
    starts, sources = [0], [0]
    length = last = 0
    for found in foldable.finditer(text):
        before = text[last : found.start()]
        plain = _TABLE[found[0]]
        pieces += (before, plain)
        length += len(before) + len(plain)
        last = found.end()
        if len(plain) > 1:
            starts.append(length - len(plain))
            sources.append(found.start())
        if len(plain) != 1:
            starts.append(length)
            sources.append(last)
    pieces.append(text[last:])
    return Folded("".join(pieces), tuple(starts), tuple(sources))
