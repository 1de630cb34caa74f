"""Rename, delete and take back a thread."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from conversations import history
from conversations.views.pages import owned
from providers.people.standing import standing_of


@require_POST
def rename(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    history.rename(owned(standing_of(request), conversation_id), request.POST.get("title", ""))
    return redirect("conversations:thread", conversation_id)


@require_POST
def delete(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    history.delete(owned(standing_of(request), conversation_id))
    return redirect(f"{reverse('conversations:playground')}?deleted={conversation_id}")


@require_POST
def restore(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    if history.restore(standing_of(request).user, conversation_id) is None:
        raise Http404
    return redirect("conversations:thread", conversation_id)
