"""What beat asks of the conversations, each harmless when asked twice."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

from celery import shared_task
from celery.signals import worker_shutting_down
from django.utils import timezone
from kombu.exceptions import OperationalError

from conversations import history
from conversations.batches import book as batches
from conversations.batches import desk
from conversations.runs import book, reaper


@shared_task
def reap_runs() -> int:
    """Interrupt runs that lost their process; answer how many. What they cost is booked later."""
    now = timezone.now()
    book.price_interrupted(now - timedelta(days=1))
    return reaper.reap(now)


@shared_task
def sweep() -> int:
    """Drop logs of ended runs, conversations whose time to undo is over, unused batches."""
    now = timezone.now()
    return reaper.sweep(now) + history.sweep(now) + batches.sweep(now)


@shared_task(ignore_result=True)
def work_batches() -> None:
    """Ask prompts of batches for a while, and ring for whoever goes on."""
    if desk.work():
        ring_for_batches()


@shared_task(ignore_result=True)
def price_batches() -> int:
    """Fill in what rows have cost whose worker died, once it is booked; answers how many."""
    return batches.price_lost(timezone.now() - timedelta(days=1))


def ring_for_batches() -> None:
    """Have batches begun at once; where the broker is away, beat rings within seconds."""
    with suppress(OperationalError):
        work_batches.apply_async(retry=False)


@worker_shutting_down.connect
def _stop_asking(**_: Any) -> None:
    desk.stop()
