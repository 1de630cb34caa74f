"""What callers got in the end: the other truth beside the health of each deployment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from providers.health.samples import HOUR, fetch


@dataclass(frozen=True, slots=True)
class Served:
    """What callers got, after retry and fallback; probes and callers who left are not in it.

    `by_fallback`: answered by another deployment than the first of the route as it is now. A
    deployment that rests leaves no attempt, so the attempts alone would not tell; where weights
    draw the first, they are all there is to go by. `unsent` is the part of `failed` that was
    admitted and never sent, as when every deployment of a route rests.
    """

    answered: int = 0
    failed: int = 0
    by_fallback: int = 0
    unsent: int = 0

    @property
    def requests(self) -> int:
        return self.answered + self.failed

    @property
    def answered_share(self) -> float | None:
        return self.answered / self.requests if self.requests else None

    @property
    def failed_share(self) -> float | None:
        return self.failed / self.requests if self.requests else None

    @property
    def fallback_share(self) -> float | None:
        return self.by_fallback / self.requests if self.requests else None


_SERVED = """
SELECT count(*) FILTER (WHERE answered), count(*) FILTER (WHERE NOT answered),
    count(*) FILTER (WHERE answered AND coalesce(preferred.place, first) <> last)
FROM (
    SELECT max(route) AS route, bool_or(status = 'ok') AS answered,
        bool_or(error_code = ANY (%(judged)s)) AS judged,
        (array_agg(provider || '/' || model ORDER BY attempt))[1] AS first,
        (array_agg(provider || '/' || model ORDER BY attempt DESC))[1] AS last
    FROM providers_entry
    WHERE at >= %(since)s AND source <> 'probe'
    GROUP BY reservation_id
) request
LEFT JOIN (
    SELECT DISTINCT ON (r.id) r.name AS route, p.name || '/' || d.model AS place
    FROM providers_route r
    JOIN providers_routetarget t ON t.route_id = r.id
    JOIN providers_deployment d ON d.id = t.deployment_id AND d.is_enabled
    JOIN providers_provider p ON p.id = d.provider_id AND p.is_enabled
    WHERE NOT EXISTS (
        SELECT FROM providers_routetarget w WHERE w.route_id = r.id AND w.weight IS NOT NULL
    )
    ORDER BY r.id, t.position
) preferred USING (route)
WHERE answered OR judged
"""
_UNSENT = """
SELECT count(*) FROM providers_reservation r
WHERE r.id >= %(oldest)s AND r.settled_at IS NOT NULL AND r.source <> 'probe'
    AND NOT EXISTS (SELECT 1 FROM providers_entry e WHERE e.reservation_id = r.id)
"""


def read(now: datetime, within: timedelta = HOUR) -> Served:
    answered, failed, by_fallback = fetch(_SERVED, since=now - within)[0]
    (unsent,) = fetch(_UNSENT, oldest=_oldest_id(now - within))[0]
    return Served(answered, failed + unsent, by_fallback, unsent)


def _oldest_id(at: datetime) -> UUID:
    """Give the smallest id of that moment: ids of requests are UUIDv7, which begin with the time.

    Source: RFC 9562, 5.7.
    """
    return UUID(int=int(at.timestamp() * 1000) << 80)
