"""Periodic work; every task is safe to repeat, the rows say what is left to do."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from providers.ledger import recovery


@shared_task(ignore_result=True)
def expire_reservations() -> int:
    """Resolve holds past their deadline; answers how many."""
    return recovery.expire(timezone.now())
