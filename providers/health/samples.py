"""What the ledger's entries tell of deployments: counts, percentiles, last successes and errors."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from providers.health.faults import JUDGED

FIVE_MINUTES = timedelta(minutes=5)
HOUR = timedelta(hours=1)
LOOKBACK = timedelta(days=7)
"""How far back the last success and the last error are looked for."""
FEW = 20


@dataclass(frozen=True, slots=True)
class Rate:
    """`judged` attempts say something of the deployment: they succeeded or failed by its fault."""

    good: int = 0
    judged: int = 0

    @property
    def share(self) -> float | None:
        return self.good / self.judged if self.judged else None

    @property
    def is_few(self) -> bool:
        return self.judged < FEW


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Milliseconds of attempts that went well; None: there was none."""

    p50: int | None = None
    p95: int | None = None


@dataclass(frozen=True, slots=True)
class Samples:
    """One deployment's. `ttft`: time to the first token. Percentiles are of the last hour."""

    five_minutes: Rate = Rate()
    hour: Rate = Rate()
    ttft: Percentiles = Percentiles()
    duration: Percentiles = Percentiles()


@dataclass(frozen=True, slots=True)
class LastError:
    at: datetime
    code: str
    http_status: int | None


@dataclass(frozen=True, slots=True)
class Row:
    """A deployment with what was last seen of it within `LOOKBACK`."""

    id: int
    provider: str
    model: str
    is_enabled: bool
    succeeded_at: datetime | None
    failed: LastError | None

    @property
    def name(self) -> str:
        return f"{self.provider}/{self.model}"


@dataclass(frozen=True, slots=True)
class ErrorCount:
    """One code within the last hour and the deployments it was seen at."""

    code: str
    count: int
    last_at: datetime
    deployments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Served:
    """What callers got, after retry and fallback; probes and callers who left are not in it.

    `by_fallback`: answered by another deployment than the first of the route as it is now. A
    deployment that rests leaves no attempt, so the attempts alone would not tell.
    """

    answered: int = 0
    failed: int = 0
    by_fallback: int = 0

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


_ROWS = """
SELECT d.id, p.name, d.model, d.is_enabled AND p.is_enabled, good.at, bad.at, bad.error_code,
    bad.http_status
FROM providers_deployment d
JOIN providers_provider p ON p.id = d.provider_id
LEFT JOIN LATERAL (
    SELECT e.at FROM providers_entry e
    WHERE e.provider = p.name AND e.model = d.model AND e.status = 'ok' AND e.at >= %(since)s
    ORDER BY e.at DESC LIMIT 1
) good ON true
LEFT JOIN LATERAL (
    SELECT e.at, e.error_code, e.http_status FROM providers_entry e
    WHERE e.provider = p.name AND e.model = d.model AND e.error_code <> ''
        AND e.error_code = ANY (%(judged)s) AND e.at >= %(since)s
    ORDER BY e.at DESC LIMIT 1
) bad ON true
ORDER BY p.name, d.model
"""
_SAMPLES = """
SELECT provider, model,
    count(*) FILTER (WHERE status = 'ok' AND at >= %(recent)s),
    count(*) FILTER (WHERE at >= %(recent)s),
    count(*) FILTER (WHERE status = 'ok'),
    count(*),
    percentile_disc(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY ttft_ms)
        FILTER (WHERE status = 'ok' AND ttft_ms IS NOT NULL),
    percentile_disc(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY duration_ms)
        FILTER (WHERE status = 'ok' AND duration_ms IS NOT NULL)
FROM providers_entry
WHERE at >= %(since)s AND (status = 'ok' OR error_code = ANY (%(judged)s))
GROUP BY provider, model
"""
_ERRORS = """
SELECT error_code, count(*), max(at),
    array_agg(DISTINCT provider || '/' || model ORDER BY provider || '/' || model)
FROM providers_entry
WHERE at >= %(since)s AND error_code <> ''
GROUP BY error_code
ORDER BY count(*) DESC, error_code
"""
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
    ORDER BY r.id, t.position
) preferred USING (route)
WHERE answered OR judged
"""


def rows(now: datetime) -> list[Row]:
    found = _fetch(_ROWS, since=now - LOOKBACK)
    return [
        Row(
            id=row[0],
            provider=row[1],
            model=row[2],
            is_enabled=row[3],
            succeeded_at=row[4],
            failed=LastError(row[5], row[6], row[7]) if row[5] else None,
        )
        for row in found
    ]


def by_deployment(now: datetime) -> dict[str, Samples]:
    """Keyed by `provider/model`; a deployment without traffic in the last hour is missing."""
    found = _fetch(_SAMPLES, since=now - HOUR, recent=now - FIVE_MINUTES)
    return {
        f"{provider}/{model}": Samples(
            Rate(*counts[:2]), Rate(*counts[2:]), Percentiles(*ttft or ()), Percentiles(*took or ())
        )
        for provider, model, *counts, ttft, took in found
    }


def errors(now: datetime) -> list[ErrorCount]:
    return [
        ErrorCount(code, count, at, tuple(places))
        for code, count, at, places in _fetch(_ERRORS, since=now - HOUR)
    ]


def served(now: datetime, within: timedelta = HOUR) -> Served:
    return Served(*_fetch(_SERVED, since=now - within)[0])


def _fetch(query: str, **arguments: datetime) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, {"judged": list(JUDGED), **arguments})
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found
