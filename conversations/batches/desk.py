"""The one runner of a worker process: begun by a bell, ended with the process."""

from __future__ import annotations

import threading

from django.conf import settings

from conversations.batches.runner import Runner
from providers import gateway

GRACE_S = 10.0
"""What is being answered may take so long when the worker is stopped; then it is put back."""

_alone = threading.Lock()
_running: Runner | None = None


def work() -> bool:
    """Ask what is due for a while; True: there may be more. Nothing where it is done already."""
    if not _alone.acquire(blocking=False):
        return False
    try:
        return gateway.run(_run())
    finally:
        _alone.release()


def stop() -> None:
    """Let `work` return soon; from any thread."""
    runner = _running
    if runner is not None:
        runner.stop(GRACE_S)


def parallel() -> int:
    most: int = settings.GAIWEB.batches.parallel
    return most


async def _run() -> bool:
    global _running  # noqa: PLW0603 - one a process, like the lock
    _running = Runner(gateway.open_answer, parallel)
    try:
        return await _running.run()
    finally:
        _running = None
