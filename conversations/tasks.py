"""What beat asks of the conversations, each harmless when asked twice."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from conversations import history
from conversations.runs import book, reaper


@shared_task
def reap_runs() -> int:
    """Interrupt runs that lost their process; answer how many. What they cost is booked later."""
    now = timezone.now()
    book.price_interrupted(now - timedelta(days=1))
    return reaper.reap(now)


@shared_task
def sweep() -> int:
    """Drop logs of ended runs and conversations whose time to undo is over."""
    now = timezone.now()
    return reaper.sweep(now) + history.sweep(now)
