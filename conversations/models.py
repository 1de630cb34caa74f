"""Conversations as trees of messages, the runs that grow them, and batches of prompts."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

import uuid_utils.compat
from django.conf import settings
from django.db import models
from django.utils import timezone


def new_id() -> UUID:
    """Ordered by time (UUIDv7), so that an id is also a place in a keyset."""
    return uuid_utils.compat.uuid7()


class Conversation(models.Model):
    """A person's thread in a team. `route`, `system_prompt`, `parameters` are what Run uses next.

    `title_is_own`: the user named it, and nothing renames it again. `parameters` holds the keys
    `temperature`, `max_output_tokens`, `effort`, `tools` (names of hosted tools) and `output` (the
    key `schema` in it, None: any object); a missing key is unset. `deleted_at`: hidden, and dropped
    for good when the time to undo is over.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    team = models.ForeignKey("providers.Team", on_delete=models.CASCADE, related_name="+")
    title = models.CharField(max_length=200, blank=True)
    title_is_own = models.BooleanField(default=False)
    route = models.CharField(max_length=120)
    system_prompt = models.TextField(blank=True)
    parameters = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["user", "team", "-updated_at", "-id"])]

    def __str__(self) -> str:
        return self.title or "Untitled"


class Message(models.Model):
    """A node of the tree; `parent` None: the first. `html` is the rendered text, made once."""

    id = models.UUIDField(primary_key=True, default=new_id)
    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="messages"
    )
    parent = models.ForeignKey("self", null=True, on_delete=models.CASCADE, related_name="children")
    role = models.CharField(max_length=16)
    text = models.TextField(blank=True)
    html = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["conversation", "id"])]

    def __str__(self) -> str:
        return f"{self.role} {self.pk}"


class Attachment(models.Model):
    """A picture of a question, kept here so that every process sees it. `data` is the file."""

    id = models.UUIDField(primary_key=True, default=new_id)
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="attachments")
    media_type = models.CharField(max_length=40)
    name = models.CharField(max_length=120, blank=True)
    data = models.BinaryField()
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name or str(self.pk)


class RunState(models.TextChoices):
    RUNNING = "running", "Running"
    STOPPING = "stopping", "Stopping"
    DONE = "done", "Done"
    STOPPED = "stopped", "Stopped"
    FAILED = "failed", "Failed"
    INTERRUPTED = "interrupted", "Interrupted"


class Run(models.Model):
    """One press of Run. It belongs to the server: the process whose advisory lock is `process`
    drives it. That lock free, or `heartbeat_at` older than 30 s: nobody does any more, and the
    reaper marks it interrupted.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="runs")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    state = models.CharField(max_length=16, choices=RunState, default=RunState.RUNNING)
    started_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(default=timezone.now)
    process = models.BigIntegerField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(
                fields=["heartbeat_at"],
                condition=models.Q(state__in=["running", "stopping"]),
                name="live_runs",
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class Generation(models.Model):
    """One column's answer in a run, with what it cost. Its id is the request's in the ledger.

    Figures None: not known (yet). `notices` are sentences to show; `error` has `code` and
    `message`; `answered_by` is `provider/model`, empty until the answer has committed. `steps` are
    those of a tool loop, as their lines in the log; `citations` likewise. `is_json`: JSON was asked
    for. `stopped_by`: why there was no further step, in words.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="generations")
    message = models.OneToOneField(Message, on_delete=models.CASCADE, related_name="generation")
    route = models.CharField(max_length=120)
    reasoning = models.TextField(blank=True)
    answered_by = models.CharField(max_length=280, blank=True)
    is_fallback = models.BooleanField(default=False)
    notices = models.JSONField(default=list, blank=True)
    finish_reason = models.CharField(max_length=20, blank=True)
    steps = models.JSONField(default=list, blank=True)
    citations = models.JSONField(default=list, blank=True)
    stopped_by = models.CharField(max_length=200, blank=True)
    is_json = models.BooleanField(default=False)
    error = models.JSONField(null=True)
    ttft_ms = models.PositiveIntegerField(null=True)
    duration_ms = models.PositiveIntegerField(null=True)
    input_tokens = models.PositiveIntegerField(null=True)
    output_tokens = models.PositiveIntegerField(null=True)
    is_estimated = models.BooleanField(default=False)
    cost_nano = models.BigIntegerField(null=True)

    def __str__(self) -> str:
        return str(self.pk)


class RunEvent(models.Model):
    """One line of a run's log; `seq` counts from 1. Dropped some time after the run has ended."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="events")
    seq = models.PositiveIntegerField()
    kind = models.CharField(max_length=20)
    data = models.JSONField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "seq"], name="one_event_a_number"),
        ]

    def __str__(self) -> str:
        return f"{self.run_id}#{self.seq} {self.kind}"


class BatchState(models.TextChoices):
    DRAFT = "draft", "Not started"
    RUNNING = "running", "Running"
    PAUSED = "paused", "Paused"
    CANCELLED = "cancelled", "Cancelled"
    DONE = "done", "Done"


class BatchJob(models.Model):
    """Many prompts of one person, each asked by whichever worker is free.

    `tag` is that of its requests, empty: none. `worst_nano` is what one answer to each may cost at
    most, by the prices when it was made; None: a model has no price. `reason`: why it is paused, in
    words.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    team = models.ForeignKey("providers.Team", on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=120)
    route = models.CharField(max_length=120)
    system_prompt = models.TextField(blank=True)
    temperature = models.FloatField(null=True)
    max_output_tokens = models.PositiveIntegerField(null=True)
    tag = models.CharField(max_length=64, blank=True)
    worst_nano = models.BigIntegerField(null=True)
    state = models.CharField(max_length=16, choices=BatchState, default=BatchState.DRAFT)
    reason = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["user", "team", "-id"]),
            models.Index(
                fields=["id"], condition=models.Q(state="running"), name="running_batches"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ItemState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    ASKED = "asked", "Being answered"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class BatchItem(models.Model):
    """One prompt of a batch and its answer. `number` counts from 1, `key` is its line's own id.

    `due_at`: of a waiting one, not to be asked before; of one being answered, the end of its
    lease: whose worker has not renewed it by then is dead, and another one asks again.
    `tries` counts each asking for good: try n goes out under the id `step_id(id, n)`, so that a
    receipt of `id` has all of them. `faults` counts those that ended in nothing since the batch was
    started or the item retried, and `lost` those whose worker died, for good. `error` has `code`
    and `message`; of a waiting one it is the last.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    batch = models.ForeignKey(BatchJob, on_delete=models.CASCADE, related_name="items")
    number = models.PositiveIntegerField()
    key = models.CharField(max_length=200, blank=True)
    system_prompt = models.TextField(blank=True)
    prompt = models.TextField()
    state = models.CharField(max_length=16, choices=ItemState, default=ItemState.WAITING)
    due_at = models.DateTimeField(default=timezone.now)
    tries = models.PositiveSmallIntegerField(default=0)
    faults = models.PositiveSmallIntegerField(default=0)
    lost = models.PositiveSmallIntegerField(default=0)
    text = models.TextField(blank=True)
    answered_by = models.CharField(max_length=280, blank=True)
    finish_reason = models.CharField(max_length=20, blank=True)
    notices = models.JSONField(default=list, blank=True)
    error = models.JSONField(null=True)
    input_tokens = models.PositiveIntegerField(null=True)
    output_tokens = models.PositiveIntegerField(null=True)
    cost_nano = models.BigIntegerField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["batch", "number"], name="one_item_a_number"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["batch", "state"]),
            models.Index(
                fields=["batch", "number"],
                condition=models.Q(state__in=["waiting", "asked"]),
                name="open_batch_items",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.batch_id}#{self.number}"
