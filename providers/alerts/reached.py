"""Find which windows have reached a threshold, and put what is to be sent beside it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.conf import settings
from django.db import connection, transaction

from providers.alerts.recipients import addresses_of
from providers.models import AlertMessage, Budget, BudgetAlert, Channel

# A hard budget is seldom spent to its last cent, so its 100 % is told from 99 %. What is settled
# late still belongs to its window; windows of a cycle that was changed are told no more.
_REACHED = """
INSERT INTO providers_budgetalert (window_id, threshold, spent_nano, limit_nano, at)
SELECT w.id, t, w.spent_nano, b.limit_nano, %(now)s
FROM providers_budget b
JOIN providers_budgetwindow w ON w.budget_id = b.id
CROSS JOIN unnest(b.thresholds) t
WHERE w.spent_nano > 0
    AND w.spent_nano::numeric * 100
        >= b.limit_nano::numeric * CASE WHEN b.is_hard AND t = 100 THEN 99 ELSE t END
    AND (w.ends_at IS NULL OR w.ends_at > %(now)s::timestamptz - interval '1 hour')
    AND w.starts_at = ledger_window_start(b.period, b.time_zone, b.starts_on, w.starts_at)
ON CONFLICT (window_id, threshold) DO NOTHING
RETURNING id
"""


@transaction.atomic
def tell(now: datetime) -> int:
    """Write down what was reached and its messages, together; answers how many alerts are new.

    Of several thresholds at once the highest alone is sent. Safe to run anywhere, any time.
    """
    with connection.cursor() as cursor:
        cursor.execute(_REACHED, {"now": now})
        ids = [row[0] for row in cursor.fetchall()]
    if ids:
        found = BudgetAlert.objects.filter(pk__in=ids).select_related("window__budget")
        highest = {alert.window_id: alert for alert in found.order_by("threshold")}
        AlertMessage.objects.bulk_create(_messages(highest.values(), now))
    return len(ids)


def _messages(alerts: Iterable[BudgetAlert], now: datetime) -> Iterable[AlertMessage]:
    for alert in alerts:
        for channel, recipient in _places(alert.window.budget):
            yield AlertMessage(alert=alert, channel=channel, recipient=recipient, due_at=now)


def _places(budget: Budget) -> Iterable[tuple[Channel, str]]:
    if settings.GAIWEB.email.host:
        for address in addresses_of(budget):
            yield Channel.EMAIL, address
    if settings.GAIWEB.alerts.webhook_url:
        yield Channel.WEBHOOK, ""
