"""The worker process: Celery's threads, and its clock as one more thread beside them."""

from __future__ import annotations

import os
import signal
import threading
import warnings
from typing import Any

import django
from celery.beat import EmbeddedService
from celery.exceptions import SecurityWarning

from gaiweb.celery import app
from gaiweb.tracing import traces


def main() -> None:
    threading.excepthook = _end_with
    # Whoever starts the product decides who runs it; messages are JSON, never pickle.
    warnings.simplefilter("ignore", SecurityWarning)
    # Celery's own `-B` forks a second process, which would outlive a killed worker.
    beat: Any = EmbeddedService(app, thread=True, scheduler_cls="celery.beat:Scheduler")
    worker = app.Worker(quiet=True, without_gossip=True, without_mingle=True)
    django.setup()
    from gaiweb.follower import Follower

    follower = Follower("worker", leads=False)
    traces.open()
    follower.open()
    beat.start()
    try:
        worker.start()
    finally:
        follower.close()
        traces.close()
        # It waits for its thread to answer, which a dead one never does.
        if beat.is_alive():
            beat.stop()


def _end_with(failure: threading.ExceptHookArgs) -> None:
    """End the worker when its clock fails: the supervisor starts both again."""
    threading.__excepthook__(failure)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
