"""Where a text that still grows may be cut: no find can reach across."""

from __future__ import annotations

import re

LONGEST_HELD = 2_048
"""Characters; an unbroken word or row of figures beyond it is looked at in pieces."""

# What may be in a word that a detector could find, brackets and slashes of numbers included.
_LETTERS = [*range(ord("A"), ord("Z") + 1), *range(ord("a"), ord("z") + 1), *range(0xC0, 0x530)]
_WORD = frozenset(map(chr, _LETTERS)) | frozenset("0123456789_.%+-@:()/")
_DIGITS = frozenset("0123456789(+")
_MARKS = frozenset(".-/)")
_GOING_ON = frozenset("0123456789(+.-/)ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_STARTS = re.compile(r"[0-9(+]")
_GROUP = re.compile(r"(?:\A|[^A-Za-z0-9])[A-Z0-9]{1,4}\Z")
_MOST_SPACES = 2
_LONGEST_WALK = 2 * LONGEST_HELD


def hold_from(text: str) -> int:
    """Answer from where on `text` (folded) may still become a find; its length: nothing may.

    That is the last word, and before it the groups of a number that may go on.
    """
    held = at = _word_start(text, len(text))
    if at < len(text) and text[at] not in _GOING_ON:
        return held
    while len(text) - at < _LONGEST_WALK:
        end = at
        while end > 0 and text[end - 1] == " ":
            end -= 1
        if not 0 < at - end <= _MOST_SPACES:
            break
        start = _word_start(text, end)
        word = text[start:end]
        if not _goes_on(word):
            break
        at = start
        if _STARTS.search(word):
            held = at
    return held


def _word_start(text: str, end: int) -> int:
    least = max(end - _LONGEST_WALK, 0)
    while end > least and text[end - 1] in _WORD:
        end -= 1
    return end


def _goes_on(word: str) -> bool:
    """Whether a number may continue behind this word: it ends in figures, marks or capitals."""
    if not word:
        return False
    bare = word.rstrip(".-/)")
    if not bare or bare[-1] in _DIGITS:
        return True
    return _GROUP.search(word) is not None
