"""Reports over millions of entries: the explorer's sums, its page, and its file.

    .venv/bin/python -m benchmarks.reports [--millions 1] [--runs 5] [--explain]

Makes a database of its own with entries of 90 days: 300 keys of 200 people in 20 teams, unevenly
busy, 12 models of 4 providers. Then asks what the cost page asks. Ten million take some minutes.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from benchmarks.gateway import database

MILLION = 1_000_000
_PEOPLE = """
INSERT INTO providers_team (name, slug, created_at)
SELECT 'Team ' || n, 'team-' || n, now() FROM generate_series(1, 20) n;
INSERT INTO providers_user (email, password, role, is_staff, is_active, is_superuser, date_joined)
SELECT 'person-' || n || '@example.org', '', CASE WHEN n = 1 THEN 'owner' ELSE '' END,
    false, true, false, now()
FROM generate_series(1, 200) n;
"""
# Squares make some keys and models much busier than others.
_ENTRIES = """
INSERT INTO providers_entry (
    reservation_id, attempt, at, source, user_id, team_id, key_id, route, provider, model, status,
    error_code, upstream_request_id, input_tokens, output_tokens, cache_read_tokens,
    is_estimated, is_unconfirmed, cost_nano, price_version
)
SELECT gen_random_uuid(), 1, %(now)s - random() * interval '90 days',
    CASE WHEN e.key %% 10 = 0 THEN 'playground' ELSE 'gateway' END,
    1 + e.key %% 200, 1 + e.key %% 20, CASE WHEN e.key %% 10 > 0 THEN e.key END,
    'route-' || e.model %% 5, 'provider-' || e.model %% 4, 'model-' || e.model,
    CASE WHEN e.luck < 0.02 THEN 'failed' WHEN e.luck < 0.03 THEN 'cut' ELSE 'ok' END,
    CASE WHEN e.luck < 0.02 THEN 'upstream_overloaded' ELSE '' END, '',
    (e.size * 4000)::int, (e.size * 900)::int, (e.size * 1000)::int, e.luck > 0.99, false,
    CASE WHEN e.luck < 0.02 THEN 0 ELSE (e.size * (1 + e.model) * 2e6)::bigint END, 'bench'
FROM (
    SELECT 1 + floor(300 * power(random(), 2))::int AS key,
        floor(12 * power(random(), 2))::int AS model, random() AS luck, random() AS size
    FROM generate_series(1, %(rows)s)
) e
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--millions", type=float, default=1.0)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--explain", action="store_true", help="print the plan of the sums")
    args = parser.parse_args()
    with database(), _without_collected_files():
        fill(int(args.millions * MILLION))
        _ask(args.runs)
        if args.explain:
            _explain()
        _write(MILLION)


def fill(entries: int) -> None:
    """Write the entries without their trigger, then sum them as a new installation would."""
    from django.db import connection
    from django.utils import timezone

    from providers.ledger import sums

    now = timezone.now()
    with _told("entries written"), connection.cursor() as cursor:
        cursor.execute(_PEOPLE)
        cursor.execute("ALTER TABLE providers_entry DISABLE TRIGGER ledger_sum_entries")
        for done in range(0, entries, MILLION):
            cursor.execute(_ENTRIES, {"now": now, "rows": min(MILLION, entries - done)})
        cursor.execute("ALTER TABLE providers_entry ENABLE TRIGGER ledger_sum_entries")
    with _told("quarter hours summed"), connection.cursor() as cursor:
        cursor.execute("SELECT ledger_rebuild_sums()")
        (quarters,) = cursor.fetchone()
    with _told("days summed"):
        days = sums.fold_days(now)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("SELECT count(*) FROM providers_spendday")
        print(
            f"{entries:,} entries, {quarters:,} sums of quarter hours,"
            f" {cursor.fetchone()[0]:,} of {days} days",
            flush=True,
        )


def _ask(runs: int) -> None:
    from django.test import Client

    from providers.models import User
    from providers.reports import compared, spending
    from providers.reports.question import Group

    asked, before = _question()
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.get(role="owner"))
    told: dict[str, Callable[[], Any]] = {
        "90 days by model": lambda: spending.spend_by_day(asked, Group.MODEL),
        "90 days by person": lambda: spending.spend_by_day(asked, Group.USER),
        "with the 90 days before": lambda: compared.compare(asked, before, Group.MODEL),
        "the page": lambda: client.get("/costs/?period=90d&by=model"),
        "the page, 30 days of one team": lambda: client.get("/costs/?period=30d&by=user&team=3"),
        "the page, today": lambda: client.get("/costs/?period=today&by=model"),
    }
    for what, ask in told.items():
        answer = ask()
        assert getattr(answer, "status_code", 200) == 200, answer
        took = [_milliseconds(ask) for _ in range(runs)]
        print(
            f"{what:>30}: {statistics.median(took):,.0f} ms"
            f" (from {min(took):,.0f} to {max(took):,.0f})",
            flush=True,
        )


def _write(most: int) -> None:
    """Read the file as a browser would, up to so many rows."""
    from providers.reports import export

    asked, _ = _question()
    start = _peak_mib()
    rows, size, began, first = 0, 0, time.perf_counter(), 0.0
    for piece in export.csv_pieces(asked):
        first = first or time.perf_counter() - began
        rows += piece.count("\n")
        size += len(piece)
        if rows > most:
            break
    print(
        f"CSV: {rows - 1:,} rows, {size / MILLION:,.0f} MB in {time.perf_counter() - began:,.0f} s,"
        f" first byte after {first * 1000:.0f} ms, peak memory {_peak_mib():.0f} MiB"
        f" ({_peak_mib() - start:+.0f} while it was written)"
    )


def _explain() -> None:
    from django.db import connection

    from providers.reports import spending
    from providers.reports.question import Group

    asked, _ = _question()
    with connection.cursor() as cursor:
        cursor.execute(
            f"EXPLAIN (ANALYZE, BUFFERS) {spending.sums_sql(asked, Group.MODEL)}",
            {**asked.arguments, "until": spending.folded(asked)},
        )
        for (line,) in cursor.fetchall():
            print(line if len(line) < 150 else f"{line[:147]}...")


def _question() -> tuple[Any, Any]:
    from django.utils import timezone

    from providers.reports import periods
    from providers.reports.question import Question, Viewer

    period = periods.chosen({"period": "90d"}, zone=periods.reporting_zone(), now=timezone.now())
    return Question(period.span, Viewer(sees_all=True)), period.before


def _without_collected_files() -> Any:
    """Let pages name static files that nobody has collected."""
    from django.conf import settings
    from django.test.utils import override_settings

    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    return override_settings(STORAGES={**settings.STORAGES, "staticfiles": plain})


def _milliseconds(ask: Callable[[], Any]) -> float:
    began = time.perf_counter()
    ask()
    return (time.perf_counter() - began) * 1000


@contextmanager
def _told(what: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    print(f"{what} in {timedelta(seconds=round(time.perf_counter() - began))}", flush=True)


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
