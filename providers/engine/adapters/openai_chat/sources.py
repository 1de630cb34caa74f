"""Where a Chat Completions answer comes from, and what a filter of the server held against it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from providers.engine.events import Citation, Citations, Safety
from providers.engine.json_fields import Fields, inner, objects, text


def annotated(delta: Fields) -> Iterator[Citations]:
    """Read `url_citation` annotations of OpenAI and OpenRouter."""
    found = tuple(
        Citation(
            url=text(cited, "url"),
            title=text(cited, "title"),
            quoted=text(cited, "content"),
            start=_place(cited, "start_index"),
            end=_place(cited, "end_index"),
        )
        for cited in (inner(each, "url_citation") for each in objects(delta.get("annotations")))
        if cited
    )
    if found:
        yield Citations(found)


def listed(piece: Fields) -> tuple[Citation, ...]:
    """Read the lists that Perplexity and xAI put beside the answer, again in every piece."""
    results = tuple(
        Citation(url=text(each, "url"), title=text(each, "title"))
        for each in objects(piece.get("search_results"))
    )
    if results:
        return results
    urls = piece.get("citations")
    found = cast("list[object]", urls) if isinstance(urls, list) else []
    return tuple(Citation(url=url) for url in found if isinstance(url, str))


def verdicts(holder: Fields) -> Iterator[Safety]:
    """Tell what Azure's filter held back.

    Source: Azure OpenAI, "Content filtering": category -> {filtered, severity}.
    """
    for category, verdict in inner(holder, "content_filter_results").items():
        if isinstance(verdict, dict) and cast("Fields", verdict).get("filtered") is True:
            words = f"The provider's content filter held back {category.replace('_', ' ')}."
            yield Safety(category, words, is_blocked=True)


def _place(fields: Fields, name: str) -> int | None:
    value = fields.get(name)
    return value if isinstance(value, int) else None
