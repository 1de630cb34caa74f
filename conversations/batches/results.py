"""The answers of a batch as CSV or JSON lines, in pieces of bounded size."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from conversations.models import BatchItem, BatchJob
from providers.downloads import csv_text
from providers.engine.usage import dollars

COLUMNS = (
    "number",
    "id",
    "state",
    "system",
    "prompt",
    "answer",
    "finish_reason",
    "notices",
    "error_code",
    "error",
    "model",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "tries",
    "request_id",
)
_PAGE = 500


def csv_pieces(batch: BatchJob) -> Iterator[str]:
    """Yield the header, then some hundred rows at a time; an empty cell is unknown."""
    yield csv_text([COLUMNS])
    for page in _pages(batch):
        yield csv_text([_cell(value) for value in _fields(row).values()] for row in page)


def jsonl_pieces(batch: BatchJob) -> Iterator[str]:
    """Yield some hundred lines at a time; null is unknown."""
    for page in _pages(batch):
        yield "".join(f"{json.dumps(_fields(row), ensure_ascii=False)}\n" for row in page)


def _pages(batch: BatchJob) -> Iterator[list[BatchItem]]:
    """Begin each after the last row of the one before, so that nothing is held between them."""
    number = 0
    while page := list(batch.items.filter(number__gt=number).order_by("number")[:_PAGE]):
        yield page
        number = page[-1].number


def _fields(row: BatchItem) -> dict[str, Any]:
    """By the names of COLUMNS. `request_id` leads to the receipt of every try."""
    error = row.error or {}
    values: Iterable[Any] = (
        row.number,
        row.key or None,
        row.state,
        row.system_prompt or None,
        row.prompt,
        row.text if row.ended_at and row.error is None else None,
        row.finish_reason or None,
        row.notices,
        error.get("code"),
        error.get("message"),
        row.answered_by or None,
        row.input_tokens,
        row.output_tokens,
        dollars(row.cost_nano),
        row.tries,
        str(row.pk) if row.tries else None,
    )
    return dict(zip(COLUMNS, values, strict=True))


def _cell(value: Any) -> Any:
    return " ".join(value) if isinstance(value, list) else value
