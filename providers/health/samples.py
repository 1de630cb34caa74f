"""What the ledger's entries tell of deployments: counts, percentiles, last successes and errors."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from providers.health.faults import JUDGED
from providers.health.score import FEW

FIVE_MINUTES = timedelta(minutes=5)
HOUR = timedelta(hours=1)
LOOKBACK = timedelta(days=7)
"""How far back the last success and the last error are looked for."""


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


_ROWS = """
SELECT d.id, p.name, d.model, d.is_enabled AND p.is_enabled, good.at, bad.at, bad.error_code,
    bad.http_status
FROM providers_deployment d
JOIN providers_provider p ON p.id = d.provider_id
LEFT JOIN LATERAL (
    SELECT e.at FROM providers_entry e
    WHERE e.provider = p.name AND e.model = d.model AND e.status = 'ok' AND NOT e.is_cached
        AND e.at >= %(since)s
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
WHERE at >= %(since)s AND NOT is_cached AND (status = 'ok' OR error_code = ANY (%(judged)s))
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


def rows(now: datetime) -> list[Row]:
    found = fetch(_ROWS, since=now - LOOKBACK)
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
    found = fetch(_SAMPLES, since=now - HOUR, recent=now - FIVE_MINUTES)
    return {
        f"{provider}/{model}": Samples(
            Rate(*counts[:2]), Rate(*counts[2:]), Percentiles(*ttft or ()), Percentiles(*took or ())
        )
        for provider, model, *counts, ttft, took in found
    }


def errors(now: datetime) -> list[ErrorCount]:
    return [
        ErrorCount(code, count, at, tuple(places))
        for code, count, at, places in fetch(_ERRORS, since=now - HOUR)
    ]


def fetch(query: str, **arguments: datetime | UUID) -> list[tuple[Any, ...]]:
    """Every query may use `judged`, the codes that count against a deployment."""
    with connection.cursor() as cursor:
        cursor.execute(query, {"judged": list(JUDGED), **arguments})
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found
