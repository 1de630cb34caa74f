"""What the tables say of a run: begun, asked to stop, ended. Each function is one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from conversations import attachments, context, history, rendering
from conversations.attachments import Picture
from conversations.choices import Choices
from conversations.models import (
    Conversation,
    Generation,
    Message,
    Run,
    RunEvent,
    RunState,
    new_id,
)
from conversations.runs.events import STEPS, Kind, LogEvent
from providers.engine.call import Caller, Source
from providers.engine.events import NoticeKind
from providers.engine.request import Caching, CompletionRequest, Role
from providers.ledger import receipts
from providers.models import User

LIVE = (RunState.RUNNING, RunState.STOPPING)
INTERRUPTED = "The server was restarted while this answer was coming. What had arrived is kept."


class RunRefused(Exception):
    """A run cannot begin; the words say why and are safe to show."""


@dataclass(frozen=True, slots=True)
class Question:
    text: str
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """All that is needed to carry a run out; its rows are committed."""

    run_id: UUID
    message_id: UUID
    request: CompletionRequest
    caller: Caller
    notices: tuple[dict[str, str], ...]


@dataclass(slots=True)
class Ending:
    """How an answer ended. None: not known."""

    state: RunState
    text: str = ""
    reasoning: str = ""
    answered_by: str = ""
    is_fallback: bool = False
    notices: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    finish_reason: str = ""
    stopped_by: str = ""
    steps: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    citations: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    error: dict[str, Any] | None = None
    ttft_ms: int | None = None
    duration_ms: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    is_estimated: bool = False
    cost_nano: int | None = None


def owned_by(user: User) -> QuerySet[Run]:
    return Run.objects.filter(user=user, conversation__in=history.owned_by(user))


@transaction.atomic
def begin(conversation: Conversation, asked: Question, process: int) -> Order:
    """Write the question and the place of its answer before anything goes upstream."""
    locked = _free(conversation)
    question = Message.objects.create(
        conversation=locked, parent_id=history.tip(locked), role=Role.USER, text=asked.text
    )
    attachments.keep(question, asked.pictures)
    if not locked.title:
        locked.title = history.title_from(asked.text) or "A picture"
    return _ordered(locked, question, process)


@transaction.atomic
def begin_again(conversation: Conversation, message_id: UUID, process: int) -> Order:
    """Answer the same question anew, as a branch beside the answer `message_id`."""
    locked = _free(conversation)
    answer = locked.messages.select_related("parent").get(pk=message_id, role=Role.ASSISTANT)
    if answer.parent is None:
        raise RunRefused("There is no question to answer again.")
    order = _ordered(locked, answer.parent, process)
    # Who asks again wants another answer.
    return replace(order, request=replace(order.request, cache=Caching.OFF))


def _free(conversation: Conversation) -> Conversation:
    locked = Conversation.objects.select_for_update().get(pk=conversation.pk)
    if locked.runs.filter(state__in=LIVE).exists():
        raise RunRefused("An answer is still coming. Stop it first, or wait for its end.")
    return locked


def _ordered(conversation: Conversation, question: Message, process: int) -> Order:
    run = Run.objects.create(conversation=conversation, user=conversation.user, process=process)
    answer = Message.objects.create(conversation=conversation, parent=question, role=Role.ASSISTANT)
    chosen = Choices.kept(conversation.route, conversation.system_prompt, conversation.parameters)
    generation = Generation.objects.create(
        id=new_id(),
        run=run,
        message=answer,
        route=conversation.route,
        is_json=chosen.output is not None,
    )
    conversation.updated_at = timezone.now()
    conversation.save(update_fields=["title", "updated_at"])
    sent = context.build(conversation, question)
    request = CompletionRequest(
        id=generation.id,
        route=conversation.route,
        messages=sent.messages,
        temperature=chosen.temperature,
        max_output_tokens=chosen.max_output_tokens,
        effort=chosen.effort,
        hosted_tools=chosen.tools,
        response_schema=chosen.output,
    )
    caller = Caller(Source.PLAYGROUND, conversation.user_id, conversation.team_id)
    notices = ({"kind": NoticeKind.CLAMPED.value, "message": sent.notice},) if sent.notice else ()
    return Order(run.id, answer.id, request, caller, notices)


def ask_to_stop(run: Run) -> bool:
    """Answer whether it was still running."""
    return bool(
        Run.objects.filter(pk=run.pk, state=RunState.RUNNING).update(state=RunState.STOPPING)
    )


@transaction.atomic
def conclude(order: Order, ending: Ending, last: Sequence[LogEvent]) -> bool:
    """Write the answer, its figures and the last lines of its log; False: somebody else did."""
    run = Run.objects.select_for_update().get(pk=order.run_id)
    if run.state not in LIVE:
        return False
    _charge(ending, order.request.id)
    _write(run, order.message_id, ending)
    RunEvent.objects.bulk_create(
        RunEvent(run=run, seq=event.seq, kind=event.kind, data=event.data) for event in last
    )
    return True


@transaction.atomic
def interrupt(run_id: UUID) -> bool:
    """End a run that nobody drives any more with the text that its log holds."""
    run = Run.objects.select_for_update().get(pk=run_id)
    if run.state not in LIVE:
        return False
    generation = run.generations.get()
    log = RunEvent.objects.filter(run=run)
    ending = _from_log(list(log.order_by("seq").values_list("kind", "data")))
    _write(run, generation.message_id, ending)
    number = (log.aggregate(last=Max("seq"))["last"] or 0) + 1
    RunEvent.objects.create(run=run, seq=number, kind=Kind.ERROR, data=ending.error)
    return True


def _charge(ending: Ending, request_id: UUID) -> None:
    """Take the booked cost: it has the attempts of an answer that never opened, too."""
    receipt = receipts.of_request(request_id)
    if receipt is not None:
        ending.cost_nano = receipt.cost_nano
        ending.is_estimated |= receipt.is_unconfirmed


def price_interrupted(since: datetime) -> int:
    """Fill in what was booked for interrupted answers once their holds had expired."""
    unpriced = Generation.objects.filter(
        run__state=RunState.INTERRUPTED, run__ended_at__gt=since, cost_nano=None
    )
    booked = [(answer, receipts.of_request(answer.pk)) for answer in unpriced]
    for answer, receipt in booked:
        if receipt is not None:
            answer.cost_nano = receipt.cost_nano
            answer.is_estimated = receipt.is_unconfirmed
            answer.save(update_fields=["cost_nano", "is_estimated"])
    return sum(receipt is not None for _, receipt in booked)


def _from_log(lines: Sequence[tuple[str, dict[str, Any]]]) -> Ending:
    ending = Ending(RunState.INTERRUPTED, error={"code": "interrupted", "message": INTERRUPTED})
    ending.text = "".join(data["text"] for kind, data in lines if kind == Kind.TEXT)
    ending.reasoning = "".join(data["text"] for kind, data in lines if kind == Kind.REASONING)
    ending.notices = [data for kind, data in lines if kind == Kind.NOTICE]
    ending.steps = [{"kind": kind, **data} for kind, data in lines if kind in STEPS]
    for kind, data in lines:
        if kind == Kind.START:
            ending.answered_by = data["answering"]
            ending.is_fallback = data["is_fallback"]
    return ending


def _write(run: Run, message_id: UUID, ending: Ending) -> None:
    now = timezone.now()
    answer = Generation.objects.filter(message_id=message_id)
    to_html = rendering.json_to_html if answer.get().is_json else rendering.to_html
    Message.objects.filter(pk=message_id).update(text=ending.text, html=to_html(ending.text))
    answer.update(
        reasoning=ending.reasoning,
        answered_by=ending.answered_by,
        is_fallback=ending.is_fallback,
        notices=ending.notices,
        finish_reason=ending.finish_reason,
        stopped_by=ending.stopped_by,
        steps=ending.steps,
        citations=ending.citations,
        error=ending.error,
        ttft_ms=ending.ttft_ms,
        duration_ms=ending.duration_ms,
        input_tokens=ending.input_tokens,
        output_tokens=ending.output_tokens,
        is_estimated=ending.is_estimated,
        cost_nano=ending.cost_nano,
    )
    Run.objects.filter(pk=run.pk).update(state=ending.state, ended_at=now)
    Conversation.objects.filter(pk=run.conversation_id).update(updated_at=now)
