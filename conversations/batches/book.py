"""What the tables say of a batch: made, started, paused, cancelled, and its rows taken and kept.

A row is taken for a time: whoever has not renewed it by then is dead, and it is taken again. What
it may have cost before is booked under its first try's id and told; an answer that was stored is
never asked for again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count, F, Q, QuerySet

from conversations.batches.prompts import Prompt
from conversations.choices import Choices
from conversations.models import BatchItem, BatchJob, BatchState, ItemState, new_id
from providers.engine.call import Caller, Source, step_id
from providers.engine.request import CompletionRequest, Message, Role
from providers.ledger import receipts
from providers.models import Membership, OrganisationRole, Team, User
from providers.people.permissions import Capability, capabilities

LEASE = timedelta(seconds=60)
MOST_FAULTS = 5
DRAFT_LIFE = timedelta(days=1)
OPEN = (ItemState.WAITING, ItemState.ASKED)
LOST = "The server stopped while this prompt was being answered."


@dataclass(frozen=True, slots=True)
class Wanted:
    """A batch as it was sent. `tag` empty: none."""

    name: str
    choices: Choices
    prompts: Sequence[Prompt]
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """A row that is ours until its lease ends. `number` of the try tells it from later ones."""

    item_id: UUID
    batch_id: UUID
    tries: int
    faults: int
    request: CompletionRequest
    caller: Caller


@dataclass(slots=True)
class Outcome:
    """How one asking ended. `error` None: with an answer. None of a figure: not known."""

    text: str = ""
    answered_by: str = ""
    finish_reason: str = ""
    notices: list[str] = field(default_factory=list[str])
    error: dict[str, Any] | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_nano: int | None = None


def owned_by(user: User) -> QuerySet[BatchJob]:
    """Only in teams that the person may still spend for."""
    own = BatchJob.objects.filter(user=user).select_related("team", "user")
    if user.role == OrganisationRole.OWNER:
        return own
    return own.filter(team__memberships__user=user)


@transaction.atomic
def make(owner: tuple[User, Team], wanted: Wanted, worst_nano: int | None) -> BatchJob:
    """Write it all down; nothing is asked before `start`."""
    (user, team), choices = owner, wanted.choices
    batch = BatchJob.objects.create(
        user=user,
        team=team,
        name=wanted.name,
        route=choices.route,
        system_prompt=choices.system_prompt,
        temperature=choices.temperature,
        max_output_tokens=choices.max_output_tokens,
        tag=wanted.tag,
        worst_nano=worst_nano,
    )
    BatchItem.objects.bulk_create(
        (
            BatchItem(
                id=new_id(),
                batch=batch,
                number=number,
                key=prompt.key,
                system_prompt=prompt.system,
                prompt=prompt.text,
            )
            for number, prompt in enumerate(wanted.prompts, 1)
        ),
        batch_size=500,
    )
    return batch


@transaction.atomic
def start(batch: BatchJob, now: datetime) -> bool:
    """Begin, or go on after a pause; False: it was neither new nor paused."""
    startable = BatchJob.objects.filter(
        pk=batch.pk, state__in=(BatchState.DRAFT, BatchState.PAUSED)
    )
    BatchJob.objects.filter(pk=batch.pk, started_at=None).update(started_at=now)
    if not startable.update(state=BatchState.RUNNING, reason=""):
        return False
    batch.items.filter(state=ItemState.WAITING).update(due_at=now, faults=0)
    return True


def pause(batch_id: UUID, reason: str) -> bool:
    """Take no further rows; those under way end by themselves."""
    running = BatchJob.objects.filter(pk=batch_id, state=BatchState.RUNNING)
    return bool(running.update(state=BatchState.PAUSED, reason=reason))


@transaction.atomic
def cancel(batch: BatchJob, now: datetime) -> bool:
    """Ask nothing any more; what is under way ends by itself and is kept, as it is paid for."""
    going = BatchJob.objects.filter(pk=batch.pk, state__in=(BatchState.RUNNING, BatchState.PAUSED))
    if not going.update(state=BatchState.CANCELLED, reason="", ended_at=now):
        return False
    batch.items.filter(state=ItemState.WAITING).update(state=ItemState.CANCELLED, ended_at=now)
    return True


@transaction.atomic
def retry(batch: BatchJob, now: datetime) -> int:
    """Ask again what failed or was cancelled, where nothing is under way; answers how many."""
    ended = BatchJob.objects.select_for_update().filter(
        pk=batch.pk, state__in=(BatchState.DONE, BatchState.CANCELLED, BatchState.PAUSED)
    )
    if not ended.exists():
        return 0
    again = batch.items.filter(state__in=(ItemState.FAILED, ItemState.CANCELLED)).update(
        state=ItemState.WAITING, due_at=now, faults=0, error=None, ended_at=None
    )
    if again:
        ended.update(state=BatchState.RUNNING, reason="", ended_at=None)
    return again


def delete(batch: BatchJob) -> bool:
    """Drop it with its answers; False: it is under way. The ledger keeps what it has cost."""
    idle = BatchJob.objects.filter(pk=batch.pk).exclude(state=BatchState.RUNNING)
    return bool(idle.exclude(items__state=ItemState.ASKED).delete()[0])


@transaction.atomic
def take(room: int, now: datetime) -> list[Taken]:
    """Take up to `room` rows that are due, a fair share of each batch; none is taken twice.

    A row whose lease has ended counts one more fault; with MOST_FAULTS it has failed.
    """
    taken: list[Taken] = []
    batches = list(_running(now))
    for left, batch in zip(range(len(batches), 0, -1), batches, strict=True):
        share = -(-(room - len(taken)) // left)
        if share > 0 and _may_go_on(batch):
            taken += _take_of(batch, share, now)
    return taken


def _running(now: datetime) -> QuerySet[BatchJob]:
    """Find those with due rows, the one with the fewest under way first."""
    due = Q(items__state__in=OPEN, items__due_at__lte=now)
    asked = Q(items__state=ItemState.ASKED, items__due_at__gt=now)
    return (
        BatchJob.objects
        .filter(state=BatchState.RUNNING)
        .annotate(due=Count("items", filter=due), asked=Count("items", filter=asked))
        .filter(due__gt=0)
        .select_related("user")
        .order_by("asked", "started_at", "id")
    )


def _may_go_on(batch: BatchJob) -> bool:
    """Pause the batch of somebody who may not spend for its team any more."""
    membership = Membership.objects.filter(user=batch.user, team_id=batch.team_id).first()
    role = membership.role if membership else None
    may = capabilities(batch.user.role, role)
    if batch.user.is_active and Capability.RUN_PROMPTS in may:
        return True
    pause(batch.pk, f"{batch.user.email} may not run prompts for this team any more.")
    return False


def _take_of(batch: BatchJob, room: int, now: datetime) -> list[Taken]:
    due = batch.items.filter(state__in=OPEN, due_at__lte=now).order_by("number")
    rows = list(due.select_for_update(skip_locked=True)[:room])
    for row in rows:
        was_lost = row.state == ItemState.ASKED
        row.faults, row.lost = row.faults + was_lost, row.lost + was_lost
        if row.faults >= MOST_FAULTS:
            row.state, row.ended_at = ItemState.FAILED, now
            row.error = {"code": "interrupted", "message": LOST}
        else:
            row.state, row.due_at, row.tries = ItemState.ASKED, now + LEASE, row.tries + 1
    fields = ["state", "due_at", "tries", "faults", "lost", "error", "ended_at"]
    BatchItem.objects.bulk_update(rows, fields)
    return [_taken(batch, row) for row in rows if row.state == ItemState.ASKED]


def _taken(batch: BatchJob, row: BatchItem) -> Taken:
    request = CompletionRequest(
        id=step_id(row.id, row.tries),
        route=batch.route,
        messages=messages(row.system_prompt or batch.system_prompt, row.prompt),
        temperature=batch.temperature,
        max_output_tokens=batch.max_output_tokens,
    )
    caller = Caller(Source.BATCH, batch.user_id, batch.team_id, tag=batch.tag)
    return Taken(row.id, batch.pk, row.tries, row.faults, request, caller)


def messages(system: str, prompt: str) -> tuple[Message, ...]:
    """`system` empty: there is none."""
    asked = Message.of(Role.USER, prompt)
    return (Message.of(Role.SYSTEM, system), asked) if system else (asked,)


def renew(held: Collection[Taken], now: datetime) -> None:
    """Say that whoever took them lives."""
    ids = [taken.item_id for taken in held]
    BatchItem.objects.filter(pk__in=ids, state=ItemState.ASKED).update(due_at=now + LEASE)


def keep(taken: Taken, outcome: Outcome, now: datetime) -> bool:
    """Store how it ended; False: the lease had ended, and somebody else asks or has asked."""
    receipt = receipts.of_request(taken.item_id)
    kept = _ours(taken).update(
        state=ItemState.DONE if outcome.error is None else ItemState.FAILED,
        text=outcome.text,
        answered_by=outcome.answered_by,
        finish_reason=outcome.finish_reason,
        notices=outcome.notices,
        error=outcome.error,
        input_tokens=outcome.input_tokens,
        output_tokens=outcome.output_tokens,
        cost_nano=outcome.cost_nano if receipt is None else receipt.cost_nano,
        ended_at=now,
    )
    finish(now)
    return bool(kept)


def put_back(taken: Taken, due_at: datetime, error: dict[str, Any], *, is_fault: bool) -> None:
    """Let it be asked again from then on, by anybody; of a cancelled batch never."""
    ours = _ours(taken)
    ours.filter(batch__state=BatchState.CANCELLED).update(
        state=ItemState.CANCELLED, error=error, ended_at=due_at
    )
    ours.update(
        state=ItemState.WAITING, due_at=due_at, error=error, faults=F("faults") + int(is_fault)
    )


def finish(now: datetime) -> int:
    """End the batches of which no row is open any more; answers how many."""
    open_rows = BatchItem.objects.filter(state__in=OPEN).values("batch")
    running = BatchJob.objects.filter(state=BatchState.RUNNING).exclude(pk__in=open_rows)
    return running.update(state=BatchState.DONE, ended_at=now)


def price_lost(since: datetime) -> int:
    """Fill in what was booked for askings that broke off, once their holds had expired."""
    lost = BatchItem.objects.filter(lost__gt=0, ended_at__gt=since).only("id", "cost_nano")
    booked = [(row, receipts.of_request(row.pk)) for row in lost]
    changed = [
        BatchItem(pk=row.pk, cost_nano=receipt.cost_nano)
        for row, receipt in booked
        if receipt is not None and receipt.cost_nano != row.cost_nano
    ]
    return BatchItem.objects.bulk_update(changed, ["cost_nano"]) if changed else 0


def sweep(now: datetime) -> int:
    """Drop batches that nobody started; answers how many rows."""
    drafts = BatchJob.objects.filter(state=BatchState.DRAFT, created_at__lt=now - DRAFT_LIFE)
    return drafts.delete()[0]


def _ours(taken: Taken) -> QuerySet[BatchItem]:
    return BatchItem.objects.filter(pk=taken.item_id, tries=taken.tries, state=ItemState.ASKED)
