"""`POST /api/v1/answers`: whole in JSON, or as `gai.events.v1` in SSE or NDJSON, by `Accept`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import connections
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from ninja.utils import check_csrf

from providers import gateway
from providers.engine.call import Caller, Source
from providers.engine.errors import NotAllowed
from providers.engine.request import Caching, CompletionRequest
from providers.headers import of_budget, of_hit, of_level
from providers.people.permissions import Capability
from providers.rest.answered import AnswerOut, Gathered, ToolOut, ToolsOut, body
from providers.rest.asked import AnswerIn
from providers.rest.asker import Asker, asker_of
from providers.rest.streamed import NDJSON, SSE, Streamed


async def who_asks(request: HttpRequest) -> Caller | None:
    """Take a key or a session as `asker_of` does, off the loop. Raises NotAllowed."""
    return await sync_to_async(_caller)(request, is_read=False)


async def who_reads(request: HttpRequest) -> Caller | None:
    """As `who_asks`, for what changes nothing."""
    return await sync_to_async(_caller)(request, is_read=True)


async def tools(caller: Caller) -> ToolsOut:
    allowed = await gateway.tools_for(caller)
    return ToolsOut(
        tools=[
            ToolOut(name=tool.name, description=tool.description, parameters=dict(tool.parameters))
            for tool in allowed
        ]
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """A body with what its headers say. `key` makes one answer of several requests."""

    asked: AnswerIn
    request_id: UUID
    key: str | None
    cache: Caching | None


async def answer(request: HttpRequest, caller: Caller, wanted: Wanted) -> HttpResponseBase:
    """Raise EngineError before there is a status line; later it is the stream's last record."""
    accept = request.headers.get("accept", "")
    asked = replace(
        wanted.asked.to_engine(wanted.request_id, stream=SSE in accept or NDJSON in accept),
        idempotency_key=wanted.key,
        traceparent=request.headers.get("traceparent"),
        cache=wanted.cache,
    )
    if SSE in accept:
        return await Streamed(asked, caller).response()
    if NDJSON in accept:
        return await Streamed(asked, caller, sleep=None).response()
    said = f"{request.path}\0".encode() + request.body
    making = partial(_whole, asked, caller)
    return _response(await gateway.answer_once(asked, caller, said, making))


def _response(reply: gateway.Reply) -> HttpResponse:
    response = HttpResponse(reply.body, content_type="application/json")
    for name, value in reply.headers:
        response[name.decode()] = value.decode()
    if reply.is_replay:
        response["idempotent-replayed"] = "true"
    return response


async def _whole(wanted: CompletionRequest, caller: Caller) -> gateway.Reply:
    gathered = Gathered()
    async with gateway.open_answer(wanted, caller) as opened:
        async for event in opened.events:
            gathered.add(event)
    told = AnswerOut.model_validate(body(gathered, opened))
    headers = of_level(opened.call.worst_level) | of_hit(opened.hit)
    headers |= of_budget(opened.call.cheaper_route)
    encoded = tuple((name.encode(), value.encode()) for name, value in headers.items())
    return gateway.Reply(told.model_dump_json().encode(), encoded)


def _caller(request: HttpRequest, *, is_read: bool) -> Caller | None:
    try:
        asker = asker_of(request)
        # A key is sent on purpose; a cookie goes along with whatever page sent the form.
        is_forged = asker is not None and asker.key is None and check_csrf(request) is not None
        if is_forged and not is_read:
            raise NotAllowed("A session also needs the X-CSRFToken header, or send a key.")
        return None if asker is None else _as_caller(asker)
    finally:
        connections.close_all()


def _as_caller(asker: Asker) -> Caller:
    asker.must(Capability.RUN_PROMPTS)
    if asker.key is not None:
        return Caller(
            Source.GATEWAY,
            user_id=asker.user.pk,
            team_id=asker.key.team_id,
            key_id=asker.key.pk,
            routes=frozenset(asker.key.routes),
            tag=asker.key.tag,
        )
    if asker.team is None:
        raise NotAllowed("You are in no team, and somebody has to pay.")
    return Caller(Source.GATEWAY, user_id=asker.user.pk, team_id=asker.team.pk)
