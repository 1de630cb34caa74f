"""What the ledger's attempts of the last minutes say of each deployment, for its score."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from providers.engine.codes import CODES, Fault
from providers.engine.ports import BreakerState, BreakerWord
from providers.engine.routes import Deployment
from providers.health import served
from providers.health.score import FEW, Vitals, Window
from providers.models import Probe

USUAL_OF = timedelta(days=7)
USUAL_FRESH = timedelta(minutes=10)
_USUAL_SAMPLES = 100
_PROBE_FRESH = timedelta(minutes=3)
_RATE_OF = timedelta(minutes=1)

PROVIDER = [code for code, row in CODES.items() if row.fault is Fault.PROVIDER]
LIMIT = [code for code, row in CODES.items() if row.fault is Fault.LIMIT]

# An attempt that failed after its first word is a stall, before it an error.
_WINDOWS = """
SELECT provider || '/' || model,
    count(*) FILTER (WHERE status = 'ok'),
    count(*) FILTER (WHERE error_code = ANY (%(provider)s) AND status <> 'cut'),
    count(*) FILTER (WHERE error_code = ANY (%(limit)s)),
    count(*) FILTER (WHERE error_code = ANY (%(provider)s) AND status = 'cut'),
    percentile_disc(0.95) WITHIN GROUP (ORDER BY ttft_ms)
        FILTER (WHERE status = 'ok' AND ttft_ms IS NOT NULL),
    count(*) FILTER (WHERE at >= %(last_minute)s)
FROM providers_entry
WHERE at >= %(since)s AND attempt > 0 AND status <> 'correction'
GROUP BY 1
"""
_USUAL = """
SELECT provider || '/' || model, percentile_disc(0.95) WITHIN GROUP (ORDER BY ttft_ms)
FROM providers_entry
WHERE at >= %(since)s AND at < %(until)s AND status = 'ok' AND ttft_ms IS NOT NULL
GROUP BY 1 HAVING count(*) >= %(fewest)s
"""
_OPEN_CALLS = "SELECT count(*) FROM providers_reservation WHERE settled_at IS NULL"
_NOBODY = (0, 0, 0, 0, None, 0)


@dataclass(slots=True)
class Usual:
    """Each deployment's usual wait for the first token, by name; asked for every ten minutes."""

    within: timedelta
    _read_at: datetime | None = None
    _ms: Mapping[str, int] = field(default_factory=dict[str, int])

    def read(self, now: datetime) -> Mapping[str, int]:
        if self._read_at is None or now - self._read_at >= USUAL_FRESH:
            span = {"since": now - USUAL_OF, "until": now - self.within}
            self._ms = dict(_fetch(_USUAL, fewest=_USUAL_SAMPLES, **span))
            self._read_at = now
        return self._ms


def read(
    now: datetime,
    deployments: Iterable[Deployment],
    breakers: Iterable[BreakerState],
    usual: Usual,
) -> dict[int, Window]:
    """Give a window for each of `deployments`, by id, also where nothing was asked of it."""
    span = {"since": now - usual.within, "last_minute": now - _RATE_OF}
    found = {name: counts for name, *counts in _fetch(_WINDOWS, **span)}
    waits = usual.read(now)
    words = _worst(breakers)
    failed = _failed_probes(now)
    return {
        each.id: _window(
            each,
            found.get(each.name, _NOBODY),
            waits.get(each.name),
            words.get(each.id, BreakerWord.CLOSED),
            probe_failed=each.id in failed,
        )
        for each in deployments
    }


def vitals(now: datetime, within: timedelta, capacity: int, *, cache_is_away: bool) -> Vitals:
    """Look at the installation itself; how long that takes is one of its signs."""
    began = time.perf_counter()
    ((open_calls,),) = _fetch(_OPEN_CALLS)
    took_s = time.perf_counter() - began
    got = served.read(now, within)
    return Vitals(
        # What was never sent says that breakers rest, and that has a deduction of its own.
        requests=got.requests - got.unsent,
        failed_requests=got.failed - got.unsent,
        open_calls=open_calls,
        capacity=capacity,
        database_ms=took_s * 1000,
        cache_is_away=cache_is_away,
    )


def _window(
    deployment: Deployment,
    counts: Any,
    usual_ms: int | None,
    breaker: BreakerWord,
    *,
    probe_failed: bool,
) -> Window:
    ok, failed, limited, stalled, ttft_ms, last_minute = counts
    rate = deployment.requests_per_second
    return Window(
        ok=ok,
        failed=failed,
        limited=limited,
        stalled=stalled,
        ttft_ms=ttft_ms if ok >= FEW else None,
        usual_ms=usual_ms,
        used=last_minute / (rate * _RATE_OF.total_seconds()) if rate else None,
        breaker=breaker,
        probe_failed=probe_failed,
    )


def _worst(breakers: Iterable[BreakerState]) -> dict[int, BreakerWord]:
    """Take the worst of a deployment's circuits: each credential has its own."""
    order = [BreakerWord.CLOSED, BreakerWord.HALF_OPEN, BreakerWord.OPEN]
    by_badness = sorted(breakers, key=lambda state: order.index(state.word))
    return {state.deployment_id: state.word for state in by_badness}


def _failed_probes(now: datetime) -> set[int]:
    """Deployments whose last free question, lately, found a fault of the provider's."""
    lately = Probe.objects.filter(at__gte=now - _PROBE_FRESH)
    last = lately.order_by("deployment_id", "-at").distinct("deployment_id")
    return {probe.deployment_id for probe in last if not probe.ok and probe.error_code in PROVIDER}


def _fetch(query: str, **arguments: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, {"provider": PROVIDER, "limit": LIMIT, **arguments})
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found
