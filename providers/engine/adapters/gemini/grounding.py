"""Where a grounded answer has its facts from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from providers.engine.events import Citation, Citations
from providers.engine.json_fields import Fields, count, inner, objects, text


class Grounding:
    """Segments are counted in bytes of the answer's text, citations in characters.

    Source: Google, generateContent reference, `GroundingMetadata` and `Segment`.
    """

    def __init__(self) -> None:
        self._text = bytearray()
        self._chunks: list[Fields] = []
        self._supports: list[Fields] = []
        self.queries = 0
        """Searches that were made for the answer."""

    def said(self, words: str) -> None:
        self._text += words.encode()

    def take(self, metadata: Fields) -> None:
        """Keep the latest that is there: each piece of a stream repeats what it knows."""
        self._chunks = objects(metadata.get("groundingChunks")) or self._chunks
        self._supports = objects(metadata.get("groundingSupports")) or self._supports
        queries = metadata.get("webSearchQueries")
        if isinstance(queries, list):
            self.queries = max(self.queries, len(cast("list[object]", queries)))

    def citations(self) -> Citations | None:
        """None: the answer is not grounded. A source that supports no passage stands alone."""
        found = [citation for support in self._supports for citation in self._cited(support)]
        cited = {index for support in self._supports for index in _indices(support)}
        found += [
            self._citation(chunk) for index, chunk in enumerate(self._chunks) if index not in cited
        ]
        return Citations(tuple(found)) if found else None

    def _cited(self, support: Fields) -> Iterator[Citation]:
        segment = inner(support, "segment")
        start = self._character(count(segment, "startIndex"))
        end = self._character(count(segment, "endIndex"))
        for index in _indices(support):
            if index < len(self._chunks):
                yield self._citation(self._chunks[index], start, end)

    def _citation(
        self, chunk: Fields, start: int | None = None, end: int | None = None
    ) -> Citation:
        source = inner(chunk, "web") or inner(chunk, "retrievedContext") or inner(chunk, "maps")
        return Citation(
            url=text(source, "uri"),
            title=text(source, "title"),
            quoted=text(source, "text"),
            start=start,
            end=end,
        )

    def _character(self, byte: int) -> int:
        return len(self._text[:byte].decode(errors="ignore"))


def _indices(support: Fields) -> list[int]:
    given = support.get("groundingChunkIndices")
    listed = cast("list[object]", given) if isinstance(given, list) else []
    return [index for index in listed if isinstance(index, int) and index >= 0]
