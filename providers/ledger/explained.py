"""One budget's balance taken apart: what it began with, what was settled, what is held for whom."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import connection

from providers.ledger.balances import Balance
from providers.models import AlertMessage, Budget, BudgetAlert, BudgetWindow

MOST_HOLDS = 50

# The partial index of open reservations bounds this, however many are settled.
_HOLDS = """
SELECT r.id, r.created_at, r.expires_at, r.held_nano, r.route, u.email, count(*) OVER ()
FROM providers_reservation r LEFT JOIN providers_user u ON u.id = r.user_id
WHERE r.settled_at IS NULL AND r.windows @> ARRAY[%s]::bigint[]
ORDER BY r.created_at LIMIT %s
"""
_OF_SCOPE = """(%(team)s::bigint IS NULL OR s.team_id = %(team)s)
    AND (%(user)s::bigint IS NULL OR s.user_id = %(user)s)
    AND (%(key)s::bigint IS NULL OR s.key_id = %(key)s) AND (%(tag)s = '' OR s.tag = %(tag)s)"""
# Windows begin at a midnight, and every zone's midnight begins a quarter hour.
_BY_DAY = f"""
SELECT (q.quarter AT TIME ZONE %(zone)s)::date, sum(q.cost_nano)::bigint
FROM providers_spendquarter q JOIN providers_spendgroup s ON s.id = q.group_id
WHERE q.quarter >= %(since)s AND {_OF_SCOPE} GROUP BY 1 ORDER BY 1
"""  # noqa: S608  constants
_USED = f"""
SELECT (SELECT coalesce(sum(q.cost_nano), 0)::bigint
        FROM providers_spendquarter q JOIN providers_spendgroup s ON s.id = q.group_id
        WHERE q.quarter >= %(since)s AND {_OF_SCOPE}),
    (SELECT coalesce(sum(s.held_nano), 0)::bigint FROM providers_reservation s
        WHERE s.settled_at IS NULL AND s.created_at >= %(since)s AND {_OF_SCOPE})
"""  # noqa: S608  constants


@dataclass(frozen=True, slots=True)
class Hold:
    """`held_nano` None: its price is unknown, so that nothing could be held."""

    id: UUID
    created_at: datetime
    expires_at: datetime
    held_nano: int | None
    route: str
    email: str | None


@dataclass(frozen=True, slots=True)
class Explained:
    """The current window. `settled_nano` was booked in it; `opening_nano` before it was made.

    `holds` are the oldest of `holds_count`. `days` are what entries say by day of the budget's
    zone, as far back as the window goes. `lost` are messages that were given up.
    """

    balance: Balance
    opening_nano: int
    settled_nano: int
    holds: tuple[Hold, ...]
    holds_count: int
    days: tuple[tuple[date, int], ...]
    alerts: tuple[BudgetAlert, ...]
    lost: tuple[AlertMessage, ...]


def explain(budget: Budget, balance: Balance, since: datetime) -> Explained:
    """Read it; `since` bounds how far back its days go."""
    window = BudgetWindow.objects.filter(budget=budget, starts_at=balance.starts_at).first()
    rows = _rows(_HOLDS, [window.pk, MOST_HOLDS]) if window else []
    wanted = {**_scope(budget), "zone": budget.time_zone, "since": since}
    opening = window.opening_nano if window else 0
    alerts = BudgetAlert.objects.filter(window=window).order_by("threshold") if window else ()
    lost = AlertMessage.objects.filter(alert__window=window, due_at=None, sent_at=None)
    return Explained(
        balance=balance,
        opening_nano=opening,
        settled_nano=balance.spent_nano - opening,
        holds=tuple(Hold(*row[:-1]) for row in rows),
        holds_count=rows[0][-1] if rows else 0,
        days=tuple((day, cost) for day, cost in _rows(_BY_DAY, wanted)),
        alerts=tuple(alerts),
        lost=tuple(lost.select_related("alert").order_by("pk")) if window else (),
    )


def used_since(budget: Budget, since: datetime) -> tuple[int, int]:
    """Give what the scope of a budget, saved or not, has spent and holds since then.

    Of its own window the counters; of another what entries and open holds add up to.
    """
    window = BudgetWindow.objects.filter(budget_id=budget.pk, starts_at=since).first()
    if window is not None:
        return window.spent_nano, window.held_nano
    ((spent, held),) = _rows(_USED, {**_scope(budget), "since": since})
    return int(spent), int(held)


def _scope(budget: Budget) -> dict[str, Any]:
    return {
        "team": budget.team_id,
        "user": budget.user_id,
        "key": budget.key_id,
        "tag": budget.tag,
    }


def _rows(query: str, arguments: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, arguments)
        return list(cursor.fetchall())
