"""Periodic work; every task is safe to repeat, the rows say what is left to do."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from celery import shared_task
from celery.signals import worker_shutdown
from django.conf import settings
from django.utils import timezone
from structlog import get_logger

from providers import gateway, metrics
from providers.alerts import mail, outbox, reached, webhook
from providers.answer_cache import purges
from providers.credentials import rotation
from providers.engine.errors import EngineError
from providers.health import history, probe
from providers.ledger import recovery, sums
from providers.models import AlertMessage, Channel
from providers.reports.statements import making

log = get_logger(__name__)

_PROBES_WITHIN_S = 60.0
_POST_WITHIN_S = 30.0


@shared_task(ignore_result=True)
def expire_reservations() -> int:
    """Resolve holds past their deadline; answers how many."""
    expired = recovery.expire(timezone.now())
    metrics.reservations_stale.set(expired)
    return expired


@shared_task(ignore_result=True)
def fold_days() -> int:
    """Sum the days that are over, so that reports of months are quick; answers how many."""
    return sums.fold_days(timezone.now())


@shared_task(ignore_result=True)
def make_statements() -> int:
    """State the month that is over, a day after its end; answers how many are new."""
    return sum(made.is_new for made in making.make_last(timezone.now()))


@shared_task(ignore_result=True)
def probe_deployments() -> None:
    probe.record(gateway.run(gateway.probe_all(), _PROBES_WITHIN_S))


@shared_task(ignore_result=True)
def sweep_health() -> int:
    """Forget scores, levels and transitions past their days; answers how many rows."""
    days = settings.GAIWEB.health.kept_days
    return history.sweep(timezone.now(), timedelta(days=days))


@shared_task(ignore_result=True)
def end_overlaps() -> int:
    """Revoke provider keys whose overlap with a newer one is over; answers how many."""
    return rotation.end_overlaps(timezone.now())


@shared_task(ignore_result=True)
def remind_of_old_keys() -> int:
    """Say in the log which providers have keys that are due; answers how many keys."""
    days = settings.GAIWEB.credentials.remind_after_days
    due = rotation.due_by_provider(timezone.now(), timedelta(days=days))
    for provider, keys in due.items():
        log.warning("provider_keys_are_old", provider=provider, keys=keys, days=days)
    return sum(due.values())


@shared_task(ignore_result=True)
def sweep_cache() -> int:
    """Delete cached answers that are too old or too many; answers how many."""
    return purges.sweep(timezone.now())


@shared_task(ignore_result=True)
def tell_of_budgets() -> int:
    """Write down which thresholds of budgets were reached; answers how many are new."""
    return reached.tell(timezone.now())


@shared_task(ignore_result=True)
def send_alerts() -> int:
    """Send what is due by e-mail and webhook; answers how many messages went out."""
    senders = {Channel.EMAIL: mail.send, Channel.WEBHOOK: _post}
    return outbox.send_due(senders, timezone.now)


def _post(message: AlertMessage) -> None:
    letter = webhook.letter_of(message, timezone.now())
    if letter is None:
        raise outbox.NotSent("No webhook is configured any more.")
    try:
        gateway.run(gateway.post(letter.url, letter.headers, letter.body), _POST_WITHIN_S)
    except (EngineError, TimeoutError) as fault:
        words = fault.message if isinstance(fault, EngineError) else "It did not answer in time."
        raise outbox.NotSent(words) from None


@worker_shutdown.connect
def _leave_the_loop(**_: Any) -> None:
    gateway.stop_running()
