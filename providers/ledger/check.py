"""Rows against counters: proof that the ledger's sums are what its entries say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

from providers.ledger import sums
from providers.ledger.money import usd
from providers.ledger.refusals import budget_name

GRACE = timedelta(minutes=5)

# One statement sees one instant, so the check holds while requests come and go.
_WINDOWS = """
WITH costs AS (
    SELECT reservation_id, sum(cost_nano) AS cost FROM providers_entry GROUP BY reservation_id
), booked AS (
    SELECT u.id, sum(c.cost) AS spent, sum(r.held_nano) FILTER (WHERE r.settled_at IS NULL) AS held
    FROM providers_reservation r CROSS JOIN LATERAL unnest(r.windows) u(id)
    LEFT JOIN costs c ON c.reservation_id = r.id GROUP BY u.id
)
SELECT b.scope, b.period, coalesce(t.name, p.email, k.prefix, nullif(b.tag, '')), w.starts_at,
    w.spent_nano, (w.opening_nano + coalesce(o.spent, 0))::bigint,
    w.held_nano, coalesce(o.held, 0)::bigint
FROM providers_budgetwindow w JOIN providers_budget b ON b.id = w.budget_id
LEFT JOIN booked o ON o.id = w.id
LEFT JOIN providers_team t ON t.id = b.team_id
LEFT JOIN providers_user p ON p.id = b.user_id
LEFT JOIN providers_virtualkey k ON k.id = b.key_id
ORDER BY w.id
"""
_OVERDUE = """
SELECT count(*) FILTER (WHERE expires_at < %s), count(*) FROM providers_reservation
WHERE settled_at IS NULL
"""
_STRAY = """
SELECT count(*) FROM providers_entry e
LEFT JOIN providers_reservation r ON r.id = e.reservation_id WHERE r.settled_at IS NULL
"""


@dataclass(frozen=True)
class CheckResult:
    """`differences` are sentences; empty: the books are right. `open_holds` are no fault."""

    windows: int
    open_holds: int
    differences: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        return not self.differences


def run(now: datetime | None = None) -> CheckResult:
    """Compare windows with entries and holds, and the reports' sums with the entries.

    A hold may outlive its deadline by GRACE.
    """
    with connection.cursor() as cursor:
        cursor.execute(_WINDOWS)
        windows = cursor.fetchall()
        cursor.execute(_OVERDUE, [(now or timezone.now()) - GRACE])
        overdue, open_holds = cursor.fetchone()
        cursor.execute(_STRAY)
        (stray,) = cursor.fetchone()
    differences = [words for window in windows for words in _differences(*window)]
    if overdue:
        differences.append(
            f"{overdue} holds have outlived their deadline by more than"
            f" {GRACE.seconds // 60} minutes: is the task that expires them running?"
        )
    if stray:
        differences.append(f"{stray} entries belong to no settled reservation.")
    differences += sums.differences()
    return CheckResult(len(windows), open_holds, tuple(differences))


def _differences(  # noqa: PLR0913  a row of the query
    scope: str,
    period: str,
    owner: str | None,
    starts_at: datetime,
    spent: int,
    spent_by_rows: int,
    held: int,
    held_by_rows: int,
) -> list[str]:
    name = f"{budget_name(scope, period, owner)}, from {starts_at:%Y-%m-%d}".capitalize()
    return [
        f"{name}: {what} is {usd(counter)}, its rows say {usd(rows)}."
        for what, counter, rows in (
            ("spent", spent, spent_by_rows),
            ("held", held, held_by_rows),
        )
        if counter != rows
    ]
