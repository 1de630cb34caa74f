"""Text that comes in pieces: what may be shown of it, as if it had come whole."""

from __future__ import annotations

import re
from dataclasses import dataclass

from providers.engine.filters.finder import Finder
from providers.engine.filters.folding import Folded, folded
from providers.engine.filters.holding import LONGEST_HELD, hold_from
from providers.engine.filters.patterns import LONGEST
from providers.engine.filters.spans import Span, replaced

# Of a word that is too long to be held, so much is looked at once more with what follows.
_OVERLAP = 256
_REST_OF_WORD = re.compile(r"[A-Za-z0-9_.+/=-]*")


@dataclass(frozen=True, slots=True)
class Cleared:
    """`text` with placeholders, and what was replaced in it."""

    text: str
    kinds: tuple[str, ...] = ()


class Passage:
    """Holds back the shortest tail that may still become a find: the last word, the groups of a
    number, and with patterns of the team's own `patterns.LONGEST` characters of the line.
    """

    def __init__(self, finder: Finder) -> None:
        self._finder = finder
        self._held = ""
        self._is_inside = False

    def feed(self, text: str) -> Cleared:
        """Take a piece; answer what is certain by now. Raises DetectorFailed."""
        self._held += self._without_rest(text)
        if not self._held:
            return Cleared("")
        seen = folded(self._held)
        cut = self._cut(seen)
        if len(seen.text) - cut > LONGEST_HELD:
            return self._feed_by_force(seen)
        return self._take(seen, cut, self._finder.find_in(_until(seen, cut)) if cut else [])

    def flush(self) -> Cleared:
        """Nothing follows. Raises DetectorFailed."""
        held, self._held, self._is_inside = self._held, "", False
        spans = self._finder.find(held) if held else []
        return Cleared(replaced(held, spans), _kinds(spans))

    def _cut(self, seen: Folded) -> int:
        """Find the place that no find can reach across, whatever follows."""
        text = seen.text
        cut = hold_from(text)
        if not self._finder.patterns:
            return cut
        limit = max(text.rfind("\n") + 1, len(text) - LONGEST)
        cut = min(cut, hold_from(text[:limit]))
        crossing = [0]
        while crossing:
            places = (place for each in self._finder.patterns for place in each.places(text))
            crossing = [start for start, end in places if start < cut < end]
            if crossing:
                cut = hold_from(text[: min(crossing)])
        return cut

    def _take(self, seen: Folded, cut: int, spans: list[Span]) -> Cleared:
        end = seen.source(cut) if cut < len(seen.text) else len(self._held)
        ready, self._held = self._held[:end], self._held[end:]
        return Cleared(replaced(ready, spans), _kinds(spans))

    def _feed_by_force(self, seen: Folded) -> Cleared:
        """Cut a word that does not end: behind the last find, or leave some of it to look again.

        A find that reaches the end goes on with its word, which is then left out.
        """
        spans = self._finder.find_in(seen)
        end = max(len(self._held) - _OVERLAP, 0)
        for span in spans:
            if span.end == len(self._held):
                self._is_inside, end = True, span.end
            elif span.start < end < span.end:
                end = span.end
        ready, self._held = self._held[:end], self._held[end:]
        spans = [span for span in spans if span.end <= end]
        return Cleared(replaced(ready, spans), _kinds(spans))

    def _without_rest(self, text: str) -> str:
        if not self._is_inside:
            return text
        rest = _REST_OF_WORD.match(text)
        kept = text[rest.end() :] if rest else text
        self._is_inside = not kept
        return kept


def _until(seen: Folded, cut: int) -> Folded:
    return Folded(seen.text[:cut], seen.starts, seen.sources)


def _kinds(spans: list[Span]) -> tuple[str, ...]:
    return tuple(span.kind for span in spans)
