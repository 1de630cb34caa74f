"""What each budget has spent, holds and has left, for gauges and pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils import timezone

from providers.ledger.refusals import budget_name

_SELECT = """
SELECT b.id, b.scope, coalesce(t.name, p.email, k.prefix, nullif(b.tag, '')), b.period, b.is_hard,
    b.limit_nano, coalesce(w.spent_nano, 0), coalesce(w.held_nano, 0),
    ledger_window_start(b.period, b.time_zone, b.starts_on, %(now)s),
    ledger_window_end(b.period, b.time_zone, b.starts_on, %(now)s), b.time_zone, b.degrade_to
FROM providers_budget b
LEFT JOIN providers_budgetwindow w ON w.budget_id = b.id
    AND w.starts_at = ledger_window_start(b.period, b.time_zone, b.starts_on, %(now)s)
LEFT JOIN providers_team t ON t.id = b.team_id
LEFT JOIN providers_user p ON p.id = b.user_id
LEFT JOIN providers_virtualkey k ON k.id = b.key_id
"""
_OF_CALLER = """
WHERE b.scope = 'org' OR b.team_id = %(team)s OR b.user_id = %(user)s OR b.key_id = %(key)s
    OR b.tag = nullif(%(tag)s, '')
"""
_ORDER = """
ORDER BY array_position(ARRAY['org', 'team', 'user', 'key', 'tag'], b.scope::text), 3,
    array_position(ARRAY['day', 'week', 'month', 'total'], b.period::text)
"""


@dataclass(frozen=True, slots=True)
class Balance:
    """One budget in its current window. `name` is `monthly budget of team Search`.

    `owner` is a team's name, an e-mail address, a key's prefix or a tag; None: the organisation.
    `resets_at` None: never by itself.
    """

    budget_id: int
    scope: str
    owner: str | None
    period: str
    is_hard: bool
    limit_nano: int
    spent_nano: int
    held_nano: int
    starts_at: datetime
    resets_at: datetime | None
    time_zone: str
    degrade_to: str = ""

    @property
    def name(self) -> str:
        return budget_name(self.scope, self.period, self.owner)

    @property
    def left_nano(self) -> int:
        """What an admission may still hold; never below 0, also after a limit was lowered."""
        return max(0, self.limit_nano - self.spent_nano - self.held_nano)

    @property
    def used_percent(self) -> int:
        """Spent and held, of the limit; 100 at most, also for a limit of 0."""
        if self.limit_nano == 0:
            return 100
        return min(100, 100 * (self.spent_nano + self.held_nano) // self.limit_nano)


def for_caller(
    user_id: int | None = None,
    team_id: int | None = None,
    key_id: int | None = None,
    tag: str = "",
) -> list[Balance]:
    """List the budgets that bind this caller, the organisation's first."""
    return _read(_OF_CALLER, {"user": user_id, "team": team_id, "key": key_id, "tag": tag})


def all() -> list[Balance]:
    return _read("", {})


def _read(where: str, owners: dict[str, int | str | None]) -> list[Balance]:
    with connection.cursor() as cursor:
        cursor.execute(_SELECT + where + _ORDER, {"now": timezone.now(), **owners})
        rows: Sequence[tuple[Any, ...]] = cursor.fetchall()
    return [Balance(*row) for row in rows]
