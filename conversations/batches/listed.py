"""A person's batches in a team, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Count, Q, Sum

from conversations.batches import book
from conversations.models import BatchItem, BatchJob, ItemState
from providers.models import Team, User

PAGE = 30


@dataclass(frozen=True, slots=True)
class Line:
    """`ended` of `total` prompts have an answer or will get none; `spent_nano` is booked so far."""

    batch: BatchJob
    ended: int
    total: int
    failed: int
    spent_nano: int


@dataclass(frozen=True, slots=True)
class Listed:
    """`next_before` None: it is the last page."""

    lines: list[Line]
    next_before: UUID | None


def page(user: User, team: Team, *, before: UUID | None = None, size: int = PAGE) -> Listed:
    found = book.owned_by(user).filter(team=team).order_by("-id")
    if before is not None:
        found = found.filter(pk__lt=before)
    batches = list(found[: size + 1])
    shown = batches[:size]
    next_before = shown[-1].pk if len(batches) > size else None
    return Listed(_lines(shown), next_before)


def _lines(batches: list[BatchJob]) -> list[Line]:
    ended = Q(state__in=(ItemState.DONE, ItemState.FAILED, ItemState.CANCELLED))
    counts = (
        BatchItem.objects
        .filter(batch__in=batches)
        .values("batch")
        .annotate(
            ended=Count("id", filter=ended),
            total=Count("id"),
            failed=Count("id", filter=Q(state=ItemState.FAILED)),
            spent=Sum("cost_nano", default=0),
        )
    )
    by_id = {row["batch"]: row for row in counts}
    return [
        Line(batch, row["ended"], row["total"], row["failed"], row["spent"])
        for batch in batches
        if (row := by_id.get(batch.pk))
    ]
