"""What one request has cost, as it was booked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from providers.engine.call import MOST_STEPS, step_id
from providers.ledger.corrections import CORRECTION
from providers.models import Entry


@dataclass(frozen=True, slots=True)
class Receipt:
    """All attempts of all steps together. `cost_nano` None: one of them has no known cost.

    `is_unconfirmed`: at least one was booked by rule, nobody told us what it cost. Who corrects a
    request says what it cost in all: then it is known and confirmed.
    """

    cost_nano: int | None
    is_unconfirmed: bool


def of_request(request_id: UUID) -> Receipt | None:
    """Add up all steps of a run, too. None: nothing has been booked for it, or not yet."""
    return total_of(list(entries_of_request(request_id)))


def total_of(entries: Sequence[Entry]) -> Receipt | None:
    if not entries:
        return None
    costs = [entry.cost_nano for entry in entries if entry.cost_nano is not None]
    is_corrected = any(entry.status == CORRECTION for entry in entries)
    is_known = is_corrected or len(costs) == len(entries)
    is_unconfirmed = any(entry.is_unconfirmed for entry in entries) and not is_corrected
    return Receipt(sum(costs) if is_known else None, is_unconfirmed)


def entries_of_request(request_id: UUID) -> QuerySet[Entry]:
    """Find those of every step of a run, in their order; empty: nothing has been booked yet."""
    last = step_id(request_id, MOST_STEPS)
    return Entry.objects.filter(reservation_id__gte=request_id, reservation_id__lte=last).order_by(
        "reservation_id", "attempt"
    )
