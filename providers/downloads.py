"""Files that are made while they are read."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from io import StringIO

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse

CSV = "text/csv; charset=utf-8"
JSONL = "application/jsonl; charset=utf-8"


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    out = StringIO()
    csv.writer(out).writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def download(pieces: Iterator[str], name: str, content_type: str = CSV) -> StreamingHttpResponse:
    """Take each piece from a thread, so that the loop never waits for the database."""
    return StreamingHttpResponse(
        _bytes_of(pieces),
        content_type=content_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _cell(value: object) -> object:
    """Keep a spreadsheet from taking somebody's text for a formula."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return value


async def _bytes_of(pieces: Iterator[str]) -> AsyncIterator[bytes]:
    while (piece := await sync_to_async(_next)(pieces)) is not None:
        yield piece.encode()


def _next(pieces: Iterator[str]) -> str | None:
    return next(pieces, None)
