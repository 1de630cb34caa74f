"""`POST /api/v1/answers`: whole in JSON, or as `gai.events.v1` in SSE or NDJSON, by `Accept`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import connections
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone
from ninja.utils import check_csrf
from structlog import get_logger

from providers import gateway
from providers.engine.call import Caller, Source
from providers.engine.errors import NotAllowed
from providers.engine.events_v1 import Record, Scribe, ndjson, records, sse
from providers.engine.request import CompletionRequest
from providers.event_stream import EventStreamResponse
from providers.people.permissions import Capability
from providers.rest.answered import AnswerOut, Gathered, ToolOut, ToolsOut, body
from providers.rest.asked import AnswerIn
from providers.rest.asker import Asker, asker_of
from providers.tracing import trace_of

log = get_logger(__name__)

_SSE, _NDJSON = "text/event-stream", "application/x-ndjson"


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


async def answer(
    request: HttpRequest, caller: Caller, asked: AnswerIn, request_id: UUID, key: str | None
) -> HttpResponseBase:
    """Raise EngineError before there is a status line; later it is the stream's last record."""
    accept = request.headers.get("accept", "")
    streams = _SSE in accept or _NDJSON in accept
    wanted = asked.to_engine(request_id, stream=streams)
    traceparent = request.headers.get("traceparent")
    wanted = replace(wanted, idempotency_key=key, traceparent=traceparent)
    if not streams:
        making = partial(_whole, wanted, caller)
        return _response(await gateway.answer_once(wanted, caller, request.body, making))
    kind, render = (_SSE, sse) if _SSE in accept else (_NDJSON, ndjson)
    # Nobody comes back by itself to what was posted.
    return await EventStreamResponse.open(
        _records(wanted, caller), render=render, content_type=kind, retry_ms=None
    )


def _response(reply: gateway.Reply) -> HttpResponse:
    replayed = {"idempotent-replayed": "true"} if reply.is_replay else {}
    return HttpResponse(reply.body, content_type="application/json", headers=replayed)


async def _whole(wanted: CompletionRequest, caller: Caller) -> gateway.Reply:
    gathered = Gathered()
    async with gateway.open_answer(wanted, caller) as opened:
        async for event in opened.events:
            gathered.add(event)
    told = AnswerOut.model_validate(body(gathered, opened))
    return gateway.Reply(told.model_dump_json().encode())


async def _records(wanted: CompletionRequest, caller: Caller) -> AsyncGenerator[Record]:
    """Open with the first record; closing it early leaves the answer, which settles."""
    scribe = Scribe(wanted.id, timezone.now, trace_of(wanted.traceparent))
    stack = AsyncExitStack()
    try:
        opened = await stack.enter_async_context(gateway.open_answer(wanted, caller))

        def lost(bug: Exception) -> None:
            log.error("answer_broken", request_id=str(wanted.id), exc_info=bug)

        async for record in records(opened.events, scribe, lost):
            yield record
    finally:
        await stack.aclose()


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
