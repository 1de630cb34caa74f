"""What one request has cost, as it was booked."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from providers.engine.call import MOST_STEPS, step_id
from providers.models import Entry


@dataclass(frozen=True, slots=True)
class Receipt:
    """All attempts of all steps together. `cost_nano` None: one of them has no known cost.

    `is_unconfirmed`: at least one was booked by rule, nobody told us what it cost.
    """

    cost_nano: int | None
    is_unconfirmed: bool


def of_request(request_id: UUID) -> Receipt | None:
    """Add up all steps of a run, too. None: nothing has been booked for it, or not yet."""
    rows = list(entries_of_request(request_id).values_list("cost_nano", "is_unconfirmed"))
    if not rows:
        return None
    costs = [cost for cost, _ in rows if cost is not None]
    total = sum(costs) if len(costs) == len(rows) else None
    return Receipt(total, any(unconfirmed for _, unconfirmed in rows))


def entries_of_request(request_id: UUID) -> QuerySet[Entry]:
    """Find those of every step of a run, in their order; empty: nothing has been booked yet."""
    last = step_id(request_id, MOST_STEPS)
    return Entry.objects.filter(reservation_id__gte=request_id, reservation_id__lte=last).order_by(
        "reservation_id", "attempt"
    )
