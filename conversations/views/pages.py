"""The playground's page and its parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from conversations import history
from conversations.choices import Choices
from conversations.models import Conversation
from conversations.views import shown
from providers import gateway
from providers.engine.call import Caller, Source
from providers.engine.request import Tool
from providers.ledger import balances
from providers.people.permissions import Capability, who_may
from providers.people.standing import Standing, standing_of

STARTERS = (
    (
        "Explain an idea",
        "Explain how a circuit breaker protects a service, in five short points with an example.",
    ),
    (
        "Write code",
        "Write a Python function that groups a list of dates by week, with three tests.",
    ),
    (
        "Draft a text",
        "Draft a friendly e-mail that moves Thursday's review to Monday and says why.",
    ),
    (
        "Compare in a table",
        "Compare SSE, WebSockets and long polling in a table: direction, resume, proxies, cost.",
    ),
)
NO_ROUTE = Choices(route="")


@dataclass(frozen=True)
class Offered:
    """What the engine has for this person."""

    routes: list[gateway.RouteInfo]
    tools: list[Tool]


@require_GET
async def playground(request: HttpRequest, conversation_id: UUID | None = None) -> HttpResponse:
    standing = standing_of(request)
    team_id = standing.team.pk if standing.team else None
    caller = Caller(Source.PLAYGROUND, standing.user.pk, team_id)
    offered = Offered(await gateway.route_names(caller), await gateway.tools_for(caller))
    return await sync_to_async(_page)(request, standing, offered, conversation_id)


def _page(
    request: HttpRequest,
    standing: Standing,
    offered: Offered,
    conversation_id: UUID | None,
) -> HttpResponse:
    if standing.team is None:
        return render(request, "no_team.html", status=403)
    conversation = owned(standing, conversation_id) if conversation_id else None
    past = history.page(standing.user, standing.team)
    transcript = history.transcript(conversation) if conversation else history.Transcript([], None)
    page = shown.Playground(
        conversation=conversation,
        choices=_choices(conversation, past.conversations, offered, request.GET.get("model", "")),
        bubbles=shown.bubbles_of(transcript),
        earlier=transcript.earlier,
        history=past,
        routes=offered.routes,
        tools=offered.tools,
        gauge=_gauge(standing, conversation),
        starters=STARTERS,
        is_first=not past.conversations,
        deleted=_just_deleted(request, standing),
        who_adds_routes=who_may(Capability.MANAGE_ROUTES),
        may_add_routes=standing.may(Capability.MANAGE_ROUTES),
    )
    return render(request, "conversations/playground.html", {"page": page})


@require_GET
def past(request: HttpRequest) -> HttpResponse:
    """List a further page of the history, or what a search finds."""
    standing = standing_of(request)
    if standing.team is None:
        raise Http404
    query = _line(request.GET.get("q", ""))
    found = history.page(
        standing.user, standing.team, before=uuid_of(request.GET.get("before")), query=query
    )
    context = {
        "history": found,
        "current": uuid_of(request.GET.get("current")),
        "query": query,
    }
    return render(request, "conversations/_history.html", context)


@require_GET
def earlier(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """Show the part of the transcript above what is on the page."""
    conversation = owned(standing_of(request), conversation_id)
    part = history.transcript(conversation, before=uuid_of(request.GET.get("before")))
    context = {
        "bubbles": shown.bubbles_of(part, ends_thread=False),
        "earlier": part.earlier,
        "conversation": conversation,
    }
    return render(request, "conversations/_earlier.html", context)


@require_GET
def message(request: HttpRequest, message_id: UUID) -> HttpResponse:
    """Show one message as it is now: what a stream is replaced by at its end."""
    found = history.message_of(standing_of(request).user, message_id)
    if found is None:
        raise Http404
    is_last = history.tip(found.conversation) == found.id
    context = {"bubble": shown.bubble_of(found, is_last=is_last)}
    return render(request, "conversations/_message.html", context)


@require_GET
def budget(request: HttpRequest) -> HttpResponse:
    return render(
        request, "conversations/_budget.html", {"gauge": _gauge(standing_of(request), None)}
    )


def owned(standing: Standing, conversation_id: UUID) -> Conversation:
    """Find it among the asker's own. Raises Http404, also where it is somebody else's."""
    conversation = history.owned_by(standing.user).filter(pk=conversation_id).first()
    if conversation is None:
        raise Http404
    return conversation


def _choices(
    conversation: Conversation | None,
    past: Sequence[Conversation],
    offered: Offered,
    wanted: str = "",
) -> Choices:
    """Take the thread's own; a new thread the route of its link, else the one used last."""
    if conversation is not None:
        return Choices.kept(conversation.route, conversation.system_prompt, conversation.parameters)
    names = [route.name for route in offered.routes]
    used = [thread.route for thread in past if thread.route in names]
    return Choices(wanted if wanted in names else next(iter(used or names), ""))


def _gauge(standing: Standing, conversation: Conversation | None) -> shown.Gauge | None:
    team = conversation.team if conversation else standing.team
    return shown.gauge_of(balances.for_caller(standing.user.pk, team.pk if team else None))


def _just_deleted(request: HttpRequest, standing: Standing) -> Conversation | None:
    conversation_id = uuid_of(request.GET.get("deleted"))
    return history.deleted_by(standing.user, conversation_id) if conversation_id else None


def _line(text: str) -> str:
    """Take out what Postgres cannot hold."""
    return text.replace("\x00", "").strip()


def uuid_of(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
