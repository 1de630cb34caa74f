"""Runs that lost their process, and logs that nobody reads any more."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection, transaction

from conversations.models import Run, RunEvent
from conversations.runs import book

SILENCE = timedelta(seconds=30)
LOG_LIFE = timedelta(minutes=10)


def reap(now: datetime, *, living: int | None = None) -> int:
    """Interrupt the runs whose process is gone; answer how many. `living` is the asker's own."""
    live = Run.objects.filter(state__in=book.LIVE)
    silent = live.filter(heartbeat_at__lt=now - SILENCE)
    processes = set(live.values_list("process", flat=True)) - {None, living}
    dead = [process for process in processes if process and not is_alive(process)]
    orphans = set(silent.values_list("pk", flat=True))
    orphans |= set(live.filter(process__in=dead).values_list("pk", flat=True))
    return sum(book.interrupt(run_id) for run_id in orphans)


def sweep(now: datetime) -> int:
    """Drop the logs of runs that ended some time ago: the answer is in its message by then."""
    old = RunEvent.objects.filter(run__ended_at__lt=now - LOG_LIFE)
    return old.delete()[0]


def is_alive(process: int) -> bool:
    """Ask for the advisory lock that a process holds exactly as long as it lives."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [process])
        return not cursor.fetchone()[0]
