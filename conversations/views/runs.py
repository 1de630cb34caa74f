"""Run, follow, stop, retry: each only translates."""

from __future__ import annotations

from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from conversations import attachments, history
from conversations.forms import RunForm, faults
from conversations.models import Conversation, Message, Run
from conversations.runs import RunRefused, owned_by, registry
from conversations.runs.events import LogEvent
from conversations.views import shown
from conversations.views.pages import owned
from providers.event_stream import PING, EventStreamResponse, frame, last_event_id
from providers.people.standing import Standing, standing_of


@require_POST
async def run(request: HttpRequest, conversation_id: UUID | None = None) -> HttpResponse:
    """Ask in a thread, or begin one."""
    form = RunForm(request.POST, request.FILES)
    if not form.is_valid():
        return _refused(faults(form), 422)
    conversation = await sync_to_async(_chosen)(standing_of(request), conversation_id, form)
    try:
        desk = await registry.here()
        run_id = await desk.start(conversation, form.cleaned_data["text"], form.pictures)
    except RunRefused as refusal:
        return _refused(str(refusal), 409)
    return await sync_to_async(_started)(request, conversation, run_id)


@require_POST
async def retry(request: HttpRequest, conversation_id: UUID, message_id: UUID) -> HttpResponse:
    """Answer a question again, with the thread's settings."""
    conversation = await sync_to_async(owned)(standing_of(request), conversation_id)
    try:
        run_id = await (await registry.here()).retry(conversation, message_id)
    except Message.DoesNotExist:
        raise Http404 from None
    except RunRefused as refusal:
        return _refused(str(refusal), 409)
    return await sync_to_async(_started)(request, conversation, run_id, is_again=True)


@require_GET
async def events(request: HttpRequest, run_id: UUID) -> HttpResponseBase:
    """Follow a run from `Last-Event-ID`; without it from a snapshot of what there is."""
    found = await sync_to_async(_readable)(standing_of(request), run_id)
    desk = await registry.here()
    after = last_event_id(request.headers.get("Last-Event-ID"))
    return await EventStreamResponse.open(desk.tail(found.id, after), render=_framed)


@require_POST
async def stop(request: HttpRequest, run_id: UUID) -> HttpResponse:
    found = await sync_to_async(_readable)(standing_of(request), run_id)
    await (await registry.here()).stop(found)
    return HttpResponse(status=202)


@require_GET
def attachment(request: HttpRequest, attachment_id: UUID) -> HttpResponse:
    """Show a picture to the owner of its thread; it never changes."""
    found = attachments.of(standing_of(request).user, attachment_id)
    if found is None:
        raise Http404
    response = HttpResponse(bytes(found.data), content_type=found.media_type)
    response["Cache-Control"] = "private, max-age=31536000, immutable"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _framed(event: LogEvent | None) -> bytes:
    return PING if event is None else frame(event.kind, event.data, number=event.seq)


def _readable(standing: Standing, run_id: UUID) -> Run:
    found = owned_by(standing.user).filter(pk=run_id).first()
    if found is None:
        raise Http404
    return found


def _chosen(standing: Standing, conversation_id: UUID | None, form: RunForm) -> Conversation:
    if conversation_id is not None:
        conversation = owned(standing, conversation_id)
        history.choose(conversation, form.choices())
        return conversation
    if standing.team is None:
        raise Http404
    return history.begin(standing.user, standing.team, form.choices())


def _started(
    request: HttpRequest, conversation: Conversation, run_id: UUID, *, is_again: bool = False
) -> HttpResponse:
    """Answer a script with the new messages, and a plain form with the thread's page."""
    place = reverse("conversations:thread", args=[conversation.pk])
    if not request.headers.get("HX-Request"):
        return redirect(place)
    answer = history.with_answers().get(generation__run=run_id)
    asked = [] if is_again else history.with_answers().filter(children=answer)
    new = [*asked, answer]
    bubbles = [shown.bubble_of(message, is_last=message == answer) for message in new]
    response = render(request, "conversations/_messages.html", {"bubbles": bubbles})
    response["HX-Push-Url"] = place
    return response


def _refused(words: str, status: int) -> HttpResponse:
    return HttpResponse(words, status=status, content_type="text/plain; charset=utf-8")
