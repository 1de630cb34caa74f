"""Several observers as one, and the one that writes a line of log."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from structlog import get_logger

from providers.engine.call import AttemptRecord, Call, Tier
from providers.engine.errors import Cancelled
from providers.engine.policy import FilterMode
from providers.engine.ports import BreakerChange, Observer
from providers.engine.routes import Deployment
from providers.engine.tools import Ran

log = get_logger(__name__)
# Asked before the line is put together, which costs more than all of counting.
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Observers:
    """Told in order."""

    each: tuple[Observer, ...]

    def attempt_ended(self, call: Call, record: AttemptRecord) -> None:
        for observer in self.each:
            observer.attempt_ended(call, record)

    def call_ended(self, call: Call, error_code: str | None, duration_s: float) -> None:
        for observer in self.each:
            observer.call_ended(call, error_code, duration_s)

    def tool_ended(self, call: Call, ran: Ran) -> None:
        for observer in self.each:
            observer.tool_ended(call, ran)

    def breaker_changed(self, deployment: Deployment, change: BreakerChange) -> None:
        for observer in self.each:
            observer.breaker_changed(deployment, change)

    def retry_denied(self, deployment: Deployment) -> None:
        for observer in self.each:
            observer.retry_denied(deployment)

    def cache_asked(self, call: Call, found: Tier | None) -> None:
        for observer in self.each:
            observer.cache_asked(call, found)

    def batch_sent(self, deployment: Deployment, texts: int) -> None:
        for observer in self.each:
            observer.batch_sent(deployment, texts)

    def answer_kept(self, size: int) -> None:
        for observer in self.each:
            observer.answer_kept(size)

    def filter_found(self, kind: str, place: str, action: FilterMode, count: int) -> None:
        for observer in self.each:
            observer.filter_found(kind, place, action, count)


class CallLog:
    """A line for each call that failed; for every call where `GAIWEB_LOG_LEVEL` is DEBUG."""

    def attempt_ended(self, call: Call, record: AttemptRecord) -> None:
        """Say nothing: the call's own line names its attempts."""

    def call_ended(self, call: Call, error_code: str | None, duration_s: float) -> None:
        is_fine = error_code is None or error_code == Cancelled.code
        if is_fine and not _log.isEnabledFor(logging.DEBUG):
            return
        tell = log.debug if is_fine else log.warning
        tell(
            "call_ended",
            request_id=str(call.id),
            route=call.route.name,
            error=error_code,
            duration_ms=round(duration_s * 1000),
            attempts=[(each.deployment.name, each.error_code or "ok") for each in call.attempts],
        )

    def breaker_changed(self, deployment: Deployment, change: BreakerChange) -> None:
        if change.made_here:
            log.warning(
                "breaker_changed",
                deployment=deployment.name,
                before=change.before.value,
                after=change.after.value,
                reason=change.reason,
            )

    def filter_found(self, kind: str, place: str, action: FilterMode, count: int) -> None:
        log.info("filter_found", kind=kind, place=place, action=action.value, count=count)

    def retry_denied(self, deployment: Deployment) -> None:
        """Say nothing: the metrics count it."""

    def tool_ended(self, call: Call, ran: Ran) -> None:
        """Say nothing: the metrics count it."""

    def cache_asked(self, call: Call, found: Tier | None) -> None:
        """Say nothing: the metrics count it."""

    def batch_sent(self, deployment: Deployment, texts: int) -> None:
        """Say nothing: the metrics count it."""

    def answer_kept(self, size: int) -> None:
        """Say nothing: the metrics count it."""
