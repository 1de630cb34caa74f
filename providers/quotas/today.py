"""Tokens of today by scope, as the books have them: settled, of every process."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from providers.ledger.windows import Cycle, Span, window_at
from providers.models import Organisation, Quota

# Today's quarter hours alone, however long the ledger is.
_USED = """
SELECT l.name, coalesce(sum(q.input_tokens + q.output_tokens), 0)::bigint
FROM unnest(%s::text[]) l(name)
JOIN providers_spendgroup g ON g.id IS NOT NULL AND l.name IN (
    'key:' || g.key_id, 'user:' || g.user_id, 'team:' || g.team_id)
JOIN providers_spendquarter q ON q.group_id = g.id AND q.quarter >= %s
GROUP BY 1
"""


def day_at(now: datetime) -> tuple[Span, str]:
    """Give today in the organisation's time zone, and that zone."""
    zone = Organisation.objects.values_list("time_zone", flat=True).first() or "UTC"
    return window_at(Cycle("day", zone), now), zone


def used(scopes: list[str], since: datetime) -> dict[str, int]:
    """Sum by names such as `key:5`; what has used nothing is left out."""
    if not scopes:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_USED, [scopes, since])
        return {str(name): int(tokens) for name, tokens in cursor.fetchall()}


def limited() -> list[str]:
    """Name the scopes that have a limit a day."""
    return [row.scope for row in Quota.objects.exclude(daily_tokens=None)]
