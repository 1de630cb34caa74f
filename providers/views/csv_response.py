"""A file of CSV that is made while it is read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse


def csv_response(pieces: Iterator[str], name: str) -> StreamingHttpResponse:
    return StreamingHttpResponse(
        _bytes_of(pieces),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def _bytes_of(pieces: Iterator[str]) -> AsyncIterator[bytes]:
    """Take each from a thread, so that the loop never waits for the database."""
    while (piece := await sync_to_async(_next)(pieces)) is not None:
        yield piece.encode()


def _next(pieces: Iterator[str]) -> str | None:
    return next(pieces, None)
