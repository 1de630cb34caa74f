"""How far a batch is: what is done, what it has cost, what it waits for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q, Sum

from conversations.models import BatchItem, BatchJob, BatchState, ItemState

MOST_SHOWN = 20
# Fewer tell nothing of the rest.
_FEWEST_TO_JUDGE = 5


@dataclass(frozen=True, slots=True)
class Progress:
    """Counts of prompts. `spent_nano` is what is booked so far, and `unknown` has no known cost.

    `lost` were being answered when a worker died, `told` have something said about them. `left`
    None: it cannot be told yet. `waits_for`: why a prompt that was asked waits to be asked again.
    """

    total: int
    done: int
    failed: int
    cancelled: int
    asked: int
    waiting: int
    lost: int
    told: int
    unknown: int
    spent_nano: int
    input_tokens: int
    output_tokens: int
    left: timedelta | None
    waits_for: str
    failures: list[BatchItem]

    @property
    def ended(self) -> int:
        return self.done + self.failed + self.cancelled

    @property
    def retryable(self) -> int:
        return self.failed + self.cancelled

    @property
    def percent(self) -> int:
        return 100 * self.ended // self.total if self.total else 0


def of(batch: BatchJob, now: datetime) -> Progress:
    """Count it all anew: a batch has some thousands of rows."""

    def among(condition: Q) -> Count:
        return Count("id", filter=condition)

    found = batch.items.aggregate(
        total=Count("id"),
        done=among(Q(state=ItemState.DONE)),
        failed=among(Q(state=ItemState.FAILED)),
        cancelled=among(Q(state=ItemState.CANCELLED)),
        asked=among(Q(state=ItemState.ASKED)),
        waiting=among(Q(state=ItemState.WAITING)),
        lost=among(Q(lost__gt=0)),
        told=among(Q(state=ItemState.DONE) & ~Q(notices=[])),
        unknown=among(Q(state__in=(ItemState.DONE, ItemState.FAILED), cost_nano=None, tries__gt=0)),
        spent_nano=Sum("cost_nano", default=0),
        input_tokens=Sum("input_tokens", default=0),
        output_tokens=Sum("output_tokens", default=0),
    )
    waits = batch.items.filter(state=ItemState.WAITING).exclude(error=None).order_by("-due_at")
    last = waits.values_list("error", flat=True).first()
    failures = batch.items.filter(state=ItemState.FAILED).order_by("number")[:MOST_SHOWN]
    return Progress(
        **found,
        left=_left(batch, found["done"] + found["failed"], found["total"], now),
        waits_for=last["message"] if last else "",
        failures=list(failures),
    )


def _left(batch: BatchJob, ended: int, total: int, now: datetime) -> timedelta | None:
    if batch.started_at is None or batch.state != BatchState.RUNNING or ended < _FEWEST_TO_JUDGE:
        return None
    return (now - batch.started_at) * (total - ended) / ended
