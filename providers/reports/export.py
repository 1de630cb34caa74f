"""The entries of a span as CSV, in pieces of bounded size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import connection

from providers.downloads import csv_text
from providers.engine.usage import NANO_PER_USD
from providers.reports.spending import IN_SPAN, VISIBLE, Span, Viewer, arguments_of

COLUMNS = (
    "time",
    "request_id",
    "attempt",
    "source",
    "team",
    "user",
    "key",
    "route",
    "provider",
    "model",
    "status",
    "error_code",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "cost_usd",
    "is_estimated",
    "is_unconfirmed",
    "price_version",
    "is_cached",
    "saved_usd",
    "reason",
    "receipt",
)
_PAGE = 1000
_ROWS = f"""
SELECT e.at, e.id, to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    e.reservation_id::text, e.attempt, e.source, t.name, u.email, k.prefix, e.route, e.provider,
    e.model, e.status, e.error_code, e.input_tokens, e.output_tokens, e.cache_read_tokens,
    e.cache_write_tokens, e.reasoning_tokens, trim_scale(e.cost_nano::numeric / {NANO_PER_USD}),
    e.is_estimated, e.is_unconfirmed, e.price_version, e.is_cached,
    trim_scale(e.saved_nano::numeric / {NANO_PER_USD}), e.reason,
    '/receipts/' || e.reservation_id || '/'
FROM providers_entry e
LEFT JOIN providers_team t ON t.id = e.team_id
LEFT JOIN providers_user u ON u.id = e.user_id
LEFT JOIN providers_virtualkey k ON k.id = e.key_id
WHERE {IN_SPAN} AND {VISIBLE}
    AND (%(after_id)s::bigint IS NULL OR (e.at, e.id) > (%(after_at)s, %(after_id)s))
ORDER BY e.at, e.id LIMIT {_PAGE}
"""  # noqa: S608  constants


def csv_pieces(span: Span, viewer: Viewer) -> Iterator[str]:
    """Yield the header, then a thousand entries at a time, oldest first.

    Each piece is one query that begins after the last row, so nothing is held between two of
    them, no connection and no transaction: an async view may take each in another thread. An
    empty cell is unknown. Times are UTC.
    """
    yield csv_text([COLUMNS])
    after: dict[str, Any] = {"after_at": None, "after_id": None}
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_ROWS, {**arguments_of(span, viewer), **after})
            rows = cursor.fetchall()
        if rows:
            yield csv_text(row[2:] for row in rows)
        if len(rows) < _PAGE:
            return
        after = {"after_at": rows[-1][0], "after_id": rows[-1][1]}
