"""What a request really cost, said by a person: an entry of its own, never an edit."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from providers import audit
from providers.engine.call import MOST_STEPS, step_id
from providers.engine.usage import dollars
from providers.ledger.budgets import MOST_USD
from providers.ledger.money import to_nano
from providers.models import User

CORRECTION = "correction"
"""The status of such an entry."""

_LONGEST_REASON = 300
_REFUSALS = {
    "missing": "there is no such request in the ledger.",
    "open": "it is still in flight; it can be corrected once it has settled or expired.",
}


class CannotCorrect(ValueError):
    """`field` is what to change: id, usd or reason."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


@dataclass(frozen=True, slots=True)
class Corrected:
    """In nano-dollars, all steps and attempts together; not changed: it cost that already."""

    before_nano: int
    after_nano: int
    is_changed: bool


def correct(request_id: UUID, cost_usd: Decimal, reason: str, by: User | None = None) -> Corrected:
    """Book the difference to what it cost in all, in the windows that carried the request.

    Repeating it changes nothing. `by` None: a command at the machine. A correction upwards may
    take a budget past its limit: the money is gone. Raises CannotCorrect.
    """
    reason = " ".join(reason.split())
    if not 0 < len(reason) <= _LONGEST_REASON:
        raise CannotCorrect("reason", f"Say why, in at most {_LONGEST_REASON} characters.")
    if not cost_usd.is_finite() or not 0 <= cost_usd <= MOST_USD:
        raise CannotCorrect("usd", f"A cost lies between 0 and {MOST_USD:,} dollars.")
    after = to_nano(cost_usd)
    actor = by.email if by is not None else "command line"
    with transaction.atomic():
        verdict, before = _book(request_id, after, reason, actor)
        if verdict in _REFUSALS:
            raise CannotCorrect("id", _REFUSALS[verdict])
        if verdict == "booked":
            told, now = {"cost_usd": dollars(before)}, {"cost_usd": dollars(after)}
            target = f"request {request_id}"
            audit.write(by, "ledger.corrected", target, before=told, after=now, reason=reason)
    return Corrected(before, after, verdict == "booked")


def _book(request_id: UUID, cost_nano: int, reason: str, actor: str) -> tuple[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT verdict, before_nano FROM ledger_correct(%s, %s, %s, %s, %s, %s)",
            [
                request_id,
                step_id(request_id, MOST_STEPS),
                cost_nano,
                reason,
                actor,
                timezone.now(),
            ],
        )
        verdict, before = cursor.fetchone()
    return str(verdict), int(before or 0)
