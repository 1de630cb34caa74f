"""Messages that are to be sent: rows that are claimed, sent, and tried again a few times.

A claim is written before anything is sent, so that two workers never send the same at once. A
worker that dies between sending and writing that down lets it be sent again, with the same id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from django.db import transaction
from structlog import get_logger

from providers.models import AlertMessage, Channel

log = get_logger(__name__)

MOST_ATTEMPTS = 8
MOST_AT_ONCE = 200
_FIRST_WAIT = timedelta(minutes=1)
# Longer than any sender's own timeout.
_LEASE = timedelta(minutes=5)


class NotSent(Exception):
    """Why, in a sentence without secrets."""


Send = Callable[[AlertMessage], None]
"""Send it once. Raises NotSent."""


def send_due(senders: Mapping[Channel, Send], now: Callable[[], datetime]) -> int:
    """Send what is due, one after the other; answers how many went out."""
    sent = 0
    for _ in range(MOST_AT_ONCE):
        message = _claim(now())
        if message is None:
            break
        sent += _send(message, senders[Channel(message.channel)], now)
    return sent


def _send(message: AlertMessage, send: Send, now: Callable[[], datetime]) -> bool:
    try:
        send(message)
    except NotSent as fault:
        _put_off(message, str(fault), now())
        return False
    message.sent_at, message.due_at, message.fault = now(), None, ""
    message.save(update_fields=["sent_at", "due_at", "fault"])
    return True


@transaction.atomic
def _claim(now: datetime) -> AlertMessage | None:
    due = AlertMessage.objects.select_for_update(skip_locked=True, of=("self",))
    message = due.filter(due_at__lte=now).order_by("due_at", "pk").first()
    if message is None:
        return None
    message.attempts += 1
    message.due_at = now + _LEASE
    message.save(update_fields=["attempts", "due_at"])
    return message


def _put_off(message: AlertMessage, fault: str, now: datetime) -> None:
    """Wait twice as long each time, about two hours in all; then it is given up and shown."""
    is_over = message.attempts >= MOST_ATTEMPTS
    message.due_at = None if is_over else now + _FIRST_WAIT * 2 ** (message.attempts - 1)
    message.fault = fault[:300]
    message.save(update_fields=["due_at", "fault"])
    if is_over:
        log.error("budget_alert_given_up", message=message.pk, channel=message.channel)
