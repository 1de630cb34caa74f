"""Celery: work outside requests, and the clock that rings for what must not be forgotten."""

from __future__ import annotations

import os
import time
from typing import Any

from celery import Celery
from celery.signals import before_task_publish, setup_logging, task_prerun

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gaiweb.settings")

_SENT_AT = "gaiweb_sent_at"

# Work that must not be lost is a row in Postgres; a task that comes late is only a bell.
BEAT: dict[str, float] = {
    "conversations.tasks.work_batches": 5.0,
    "conversations.tasks.reap_runs": 15.0,
    "conversations.tasks.price_batches": 60.0,
    "providers.tasks.expire_reservations": 30.0,
    "providers.tasks.probe_deployments": 60.0,
    "providers.tasks.tell_of_budgets": 60.0,
    "providers.tasks.send_alerts": 30.0,
    "providers.tasks.end_overlaps": 60.0,
    "providers.tasks.sweep_cache": 300.0,
    "providers.tasks.fold_days": 900.0,
    "conversations.tasks.sweep": 3600.0,
    "providers.tasks.make_statements": 3600.0,
    "providers.tasks.sweep_health": 3600.0,
    "providers.tasks.remind_of_old_keys": 86_400.0,
}


def _broker() -> dict[str, Any]:
    from django.conf import settings

    url: str = settings.GAIWEB.broker_url
    if not url.startswith("filesystem"):
        return {"broker_url": url}
    folder = settings.GAIWEB.data_dir / "broker"
    for name in ("messages", "control"):
        (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    return {
        # The host means nothing here; without one kombu warns.
        "broker_url": "filesystem://localhost//",
        "broker_transport": "gaiweb.broker:Transport",
        "broker_transport_options": {
            # The same folder both ways: senders and workers are on one machine.
            "data_folder_in": str(folder / "messages"),
            "data_folder_out": str(folder / "messages"),
            "control_folder": str(folder / "control"),
        },
    }


def _beat() -> dict[str, dict[str, Any]]:
    """One bell that nobody heard in time is dropped: the next one rings soon."""
    return {
        name: {"task": name, "schedule": every, "options": {"expires": every}}
        for name, every in BEAT.items()
    }


app = Celery("gaiweb")
app.conf.update(
    _broker(),
    beat_schedule=_beat(),
    broker_connection_retry_on_startup=True,
    task_ignore_result=True,
    task_acks_late=True,
    timezone="UTC",
    worker_enable_remote_control=False,
    worker_hijack_root_logger=False,
    worker_pool="threads",
    worker_concurrency=4,
    worker_prefetch_multiplier=1,
)
app.autodiscover_tasks()


@setup_logging.connect
def _keep_ours(**_: Any) -> None:
    """Django has set the logs up already; a connected receiver keeps Celery from doing it again."""


@before_task_publish.connect
def _note_when(headers: dict[str, Any] | None = None, **_: Any) -> None:
    if headers is not None:
        headers[_SENT_AT] = time.time()


@task_prerun.connect
def _tell_age(task: Any = None, **_: Any) -> None:
    from providers import metrics

    sent_at, now = getattr(task.request, _SENT_AT, None), time.time()
    queue = (task.request.delivery_info or {}).get("routing_key") or "celery"
    metrics.queue_taken_at.labels(queue).set(now)
    if sent_at is not None:
        # Clocks of two machines may differ by more than nothing.
        metrics.queue_age_seconds.labels(queue).set(max(now - sent_at, 0.0))
