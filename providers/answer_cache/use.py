"""What the cache was good for, by team and route, from the entries of the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

_USE = """
SELECT team_id, route, count(*) FILTER (WHERE is_cached), count(*) FILTER (WHERE attempt <= 1),
    coalesce(sum(saved_nano), 0)
FROM providers_entry
WHERE at >= %(since)s AND source <> 'probe' AND team_id IS NOT NULL
    AND (%(teams)s::bigint[] IS NULL OR team_id = ANY (%(teams)s::bigint[]))
GROUP BY team_id, route
"""


@dataclass(frozen=True, slots=True)
class Use:
    """`hits` of `requests` were answered from the cache; `saved_nano` is what they did not cost."""

    team_id: int
    route: str
    hits: int
    requests: int
    saved_nano: int


def since(at: datetime, team_ids: list[int] | None = None) -> list[Use]:
    """List them; `team_ids` None: of every team."""
    with connection.cursor() as cursor:
        cursor.execute(_USE, {"since": at, "teams": team_ids})
        return [
            Use(team_id, route, hits, requests, int(saved))
            for team_id, route, hits, requests, saved in cursor
        ]
