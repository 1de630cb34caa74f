"""Rows that a team uploads as CSV, and the tool that looks things up in them by words."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass

from django.contrib.postgres.search import SearchVector
from django.db import transaction
from psycopg import Error
from pydantic import BaseModel, Field

from providers.engine.tools import ToolFailed
from providers.models import Tool, ToolRow
from providers.virtual_keys.rows import Pool

MOST_BYTES = 2 * 1024 * 1024
MOST_ROWS = 5_000
MOST_COLUMNS = 50
MOST_CHARACTERS = 2_000
# Not stemmed: names and numbers are looked up as often as words, in any language.
_CONFIG = "simple"
_FIND = """
SELECT cells FROM providers_toolrow, websearch_to_tsquery('simple', %s) AS query
WHERE tool_id = %s AND search @@ query
ORDER BY ts_rank(search, query) DESC, number LIMIT %s
"""
_PATIENCE_S = 5.0


class RowsRefused(Exception):
    """The file cannot be taken; the message says which line and why."""


@dataclass(frozen=True, slots=True)
class Table:
    columns: list[str]
    rows: list[list[str]]


class Wanted(BaseModel):
    query: str = Field(
        max_length=400,
        description='Words that a row must have; "in quotes" together, or between alternatives.',
    )
    limit: int = Field(default=5, ge=1, le=20, description="Most rows that come back.")


def parse(content: bytes) -> Table:
    """Read CSV whose first line names the columns. Raises RowsRefused."""
    if len(content) > MOST_BYTES:
        raise RowsRefused(f"The file is larger than {MOST_BYTES // 1024 // 1024} MB.")
    try:
        lines = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        rows = [row for row in lines if any(cell.strip() for cell in row)]
    except UnicodeDecodeError:
        raise RowsRefused("The file is not UTF-8 text. Save it as CSV in UTF-8.") from None
    except csv.Error as fault:
        raise RowsRefused(f"The file is no CSV: {fault}.") from None
    if len(rows) < 2:
        raise RowsRefused("There must be a line that names the columns, and one row at least.")
    columns, data = [cell.strip() for cell in rows[0]], rows[1:]
    wrong = next(_faults(columns, data), None)
    if wrong is not None:
        raise RowsRefused(wrong)
    return Table(columns, data)


@transaction.atomic
def replace(tool: Tool, table: Table) -> None:
    """Put these rows in place of the old ones."""
    tool.rows.all().delete()
    ToolRow.objects.bulk_create(
        (
            ToolRow(
                tool=tool,
                number=number,
                cells=dict(zip(table.columns, row, strict=True)),
                text=" ".join(row),
            )
            for number, row in enumerate(table.rows, start=1)
        ),
        batch_size=500,
    )
    tool.rows.update(search=SearchVector("text", config=_CONFIG))
    tool.facts = {"columns": table.columns, "count": len(table.rows)}
    tool.save(update_fields=["facts"])


@dataclass(frozen=True, slots=True)
class Lookup:
    tool_id: int
    pool: Pool

    async def run(self, wanted: Wanted) -> str:
        """Answer JSON: the rows that fit best, at most as many as were asked for."""
        try:
            async with self.pool.connection(timeout=_PATIENCE_S) as connection:
                cursor = await connection.execute(
                    _FIND, (wanted.query.replace("\0", " "), self.tool_id, wanted.limit)
                )
                found = [cells for (cells,) in await cursor.fetchall()]
        except Error:
            raise ToolFailed("The rows cannot be read just now.") from None
        if not found:
            return "No row has these words. Try fewer of them."
        return json.dumps(found, ensure_ascii=False)


def _faults(columns: list[str], rows: list[list[str]]) -> Iterator[str]:
    if len(columns) > MOST_COLUMNS:
        yield f"There are {len(columns)} columns; at most {MOST_COLUMNS} are taken."
    if not all(columns) or len(set(columns)) != len(columns):
        yield "Each column needs a name of its own in the first line."
    if len(rows) > MOST_ROWS:
        yield f"There are {len(rows):,} rows; at most {MOST_ROWS:,} are taken."
    for number, row in enumerate(rows, start=2):
        if len(row) != len(columns):
            yield f"Line {number} has {len(row)} cells; the first line names {len(columns)}."
        if any("\0" in cell for cell in row):
            yield f"Line {number} holds a NUL character."
        if any(len(cell) > MOST_CHARACTERS for cell in row):
            yield f"Line {number} has a cell of more than {MOST_CHARACTERS:,} characters."
