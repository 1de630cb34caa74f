"""The dearest requests of a span: where to look first, each with its receipt."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import OperationalError, connection, transaction

from providers.reports.question import IN_SPAN, VISIBLE, Question

MOST = 10
LONGEST_MS = 3000
_ROWS = """
SELECT d.id, d.at, d.route, u.email, d.cost FROM (
    SELECT e.reservation_id AS id, min(e.at) AS at, min(e.route) AS route,
        min(e.user_id) AS user_id, sum(e.cost_nano)::bigint AS cost
    FROM providers_entry e WHERE {in_span} AND {visible} {only} AND e.cost_nano <> 0
    GROUP BY e.reservation_id ORDER BY cost DESC, id LIMIT {most}
) d LEFT JOIN providers_user u ON u.id = d.user_id
WHERE d.cost > 0 ORDER BY d.cost DESC, d.id
"""


class TooMany(Exception):
    """To find them would take longer than anybody waits."""


@dataclass(frozen=True, slots=True)
class Dear:
    """A request, or one step of a run. `user` None: nobody, or deleted."""

    id: UUID
    at: datetime
    route: str
    user: str | None
    cost_nano: int


def dearest(asked: Question) -> list[Dear]:
    """List at most ten that cost something, the dearest first. Raises TooMany.

    It reads entries, which sums cannot answer, so it is given a time and not more.
    """
    query = _ROWS.format(in_span=IN_SPAN, visible=VISIBLE, only=asked.only, most=MOST)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {LONGEST_MS}")
            cursor.execute(query, asked.arguments)
            return [Dear(*row) for row in cursor.fetchall()]
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) == "57014":
            raise TooMany from None
        raise
