"""Periodic work; every task is safe to repeat, the rows say what is left to do."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from celery import shared_task
from celery.signals import worker_shutdown
from django.conf import settings
from django.utils import timezone

from providers import gateway
from providers.answer_cache import purges
from providers.health import history, probe
from providers.ledger import recovery

_PROBES_WITHIN_S = 60.0


@shared_task(ignore_result=True)
def expire_reservations() -> int:
    """Resolve holds past their deadline; answers how many."""
    return recovery.expire(timezone.now())


@shared_task(ignore_result=True)
def probe_deployments() -> None:
    probe.record(gateway.run(gateway.probe_all(), _PROBES_WITHIN_S))


@shared_task(ignore_result=True)
def sweep_health() -> int:
    """Forget scores, levels and transitions past their days; answers how many rows."""
    days = settings.GAIWEB.health.kept_days
    return history.sweep(timezone.now(), timedelta(days=days))


@shared_task(ignore_result=True)
def sweep_cache() -> int:
    """Delete cached answers that are too old or too many; answers how many."""
    return purges.sweep(timezone.now())


@worker_shutdown.connect
def _leave_the_loop(**_: Any) -> None:
    gateway.stop_running()
