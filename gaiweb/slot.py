"""One place that holds the newest, and the thread that takes it from there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from django.db import Error as DatabaseFault
from structlog import get_logger

from providers.engine.errors import LedgerUnavailable

T = TypeVar("T")
log = get_logger(__name__)

_RETRY_S = 1.0
_LAST_S = 5.0
_PASSING = (DatabaseFault, OSError, LedgerUnavailable)


class Subscriber(Generic[T]):
    """Applies the newest; one that came meanwhile takes the place of the one that waits.

    What fails for a reason that passes (the database is away) is tried again, with the newest.
    """

    def __init__(
        self, apply: Callable[[T], None], again_s: float | None, retry_s: float = _RETRY_S
    ) -> None:
        self._apply = apply
        self._again_s = again_s
        self._retry_s = retry_s
        self._slot: list[T] = []
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def put(self, newest: T) -> None:
        with self._changed:
            self._slot[:] = [newest]
            self._changed.notify()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join(_LAST_S)

    def _follow(self) -> None:
        wait_s = None
        last: T | None = None
        while True:
            newest = self._take(wait_s)
            last = last if newest is None else newest
            if self._ended:
                return
            if last is not None:
                wait_s = self._again_s if self._applied(last) else self._retry_s

    def _take(self, wait_s: float | None) -> T | None:
        with self._changed:
            self._changed.wait_for(lambda: self._slot or self._ended, wait_s)
            return self._slot.pop() if self._slot else None

    def _applied(self, value: T) -> bool:
        try:
            self._apply(value)
        except _PASSING as fault:
            log.warning("not_followed_yet", fault=type(fault).__name__)
            return False
        return True
