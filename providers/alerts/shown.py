"""Alerts that pages show: to who may see the budget, until they put them away."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Exists, OuterRef, Q

from providers.alerts.words import Alert, alert_of
from providers.ledger.visible import budgets_visible_to
from providers.models import BudgetAlert
from providers.people.standing import Standing


def shown_to(standing: Standing, now: datetime) -> list[Alert]:
    """List the highest alert of each current window, the newest first."""
    away = BudgetAlert.dismissed_by.through.objects.filter(user=standing.user)
    rows = (
        BudgetAlert.objects
        .filter(Q(window__ends_at=None) | Q(window__ends_at__gt=now))
        .filter(window__budget__in=budgets_visible_to(standing))
        .select_related("window__budget__team", "window__budget__user", "window__budget__key")
        .annotate(is_put_away=Exists(away.filter(budgetalert=OuterRef("pk"))))
        .order_by("threshold", "at")
    )
    highest = {row.window_id: row for row in rows}
    found = [alert_of(row) for row in highest.values() if not row.is_put_away]
    return sorted(found, key=lambda alert: alert.at, reverse=True)


def put_away(alert_id: int, standing: Standing) -> bool:
    """Show it to this person no more; a higher threshold is told anew. False: none of theirs."""
    visible = BudgetAlert.objects.filter(window__budget__in=budgets_visible_to(standing))
    alert = visible.filter(pk=alert_id).first()
    if alert is not None:
        alert.dismissed_by.add(standing.user)
    return alert is not None
