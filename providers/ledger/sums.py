"""The sums of the entries that reports read: of days, proof that they are right, made anew.

Those of quarter hours are written with the entries, in the same transaction, whoever writes them
(migration `spending_sums`).
"""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from providers.ledger.money import usd
from providers.models.sums import FIGURES

# Each compares at one instant, so requests may come and go meanwhile.
_KEPT, _MADE = (", ".join(f"{alias}.{name}" for name in FIGURES) for alias in ("k", "m"))
_COMPARED = f"""
SELECT count(*), coalesce(sum(coalesce(k.cost_nano, 0) - coalesce(m.cost_nano, 0)), 0)::bigint
FROM {{kept}} k FULL JOIN {{made}} m USING ({{key}}, group_id)
WHERE ({_KEPT}) IS DISTINCT FROM ({_MADE})
"""  # noqa: S608  constants
_QUARTERS_OF_DAYS = f"""(
    SELECT (q.quarter AT TIME ZONE f.time_zone)::date AS day, q.group_id,
        {", ".join(f"sum(q.{name}) AS {name}" for name in FIGURES)}
    FROM providers_spendquarter q JOIN providers_spendfold f ON q.quarter < f.until GROUP BY 1, 2
)"""  # noqa: S608  constants
_PROOFS = {
    "quarter hours": _COMPARED.format(
        kept="providers_spendquarter", made="ledger_entry_sums", key="quarter"
    ),
    "days": _COMPARED.format(kept="providers_spendday", made=_QUARTERS_OF_DAYS, key="day"),
}


def differences() -> list[str]:
    """Say which sums are not those of their entries; empty: all are."""
    found: list[str] = []
    with connection.cursor() as cursor:
        for what, proof in _PROOFS.items():
            cursor.execute(proof)
            rows, cost_nano = cursor.fetchone()
            if rows:
                found.append(
                    f"{rows} sums of {what} are not those of the entries ({usd(cost_nano)} too"
                    " much in all): make them anew with `manage.py ledger sum`."
                )
    return found


def fold_days(now: datetime) -> int:
    """Sum the days that are over; answers how many. Safe to repeat, and to leave.

    Each day is a transaction of its own, because nothing is settled while it is summed.
    """
    folded = 0
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT ledger_fold_day(%s)", [now])
            if cursor.fetchone()[0] is None:
                return folded
            folded += 1


def rebuild(now: datetime) -> int:
    """Sum every entry again; answers how many sums there are. Requests wait meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_rebuild_sums()")
        made: int = cursor.fetchone()[0]
    fold_days(now)
    return made
