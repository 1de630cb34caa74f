"""The dearest requests of a span: where to look first, each with its receipt."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from providers.reports.spending import IN_SPAN, VISIBLE, Span, Viewer, arguments_of

MOST = 10
_ROWS = f"""
SELECT d.id, d.at, d.route, u.email, d.cost FROM (
    SELECT e.reservation_id AS id, min(e.at) AS at, min(e.route) AS route,
        min(e.user_id) AS user_id, sum(e.cost_nano)::bigint AS cost
    FROM providers_entry e WHERE {IN_SPAN} AND {VISIBLE} AND e.cost_nano <> 0
    GROUP BY e.reservation_id ORDER BY cost DESC, id LIMIT {MOST}
) d LEFT JOIN providers_user u ON u.id = d.user_id
WHERE d.cost > 0 ORDER BY d.cost DESC, d.id
"""  # noqa: S608  constants


@dataclass(frozen=True, slots=True)
class Dear:
    """A request, or one step of a run. `user` None: nobody, or deleted."""

    id: UUID
    at: datetime
    route: str
    user: str | None
    cost_nano: int


def dearest(span: Span, viewer: Viewer) -> list[Dear]:
    """List at most ten that cost something, the dearest first."""
    with connection.cursor() as cursor:
        cursor.execute(_ROWS, arguments_of(span, viewer))
        return [Dear(*row) for row in cursor.fetchall()]
