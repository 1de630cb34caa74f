"""`POST /v1/chat/completions`: plain, or as server-sent events."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from functools import partial

import orjson
from structlog import get_logger

from providers import gateway
from providers.engine.call import Answer, Caller
from providers.engine.errors import EngineError
from providers.engine.events import Event
from providers.engine.request import CompletionRequest
from providers.engine.usage import dollars
from providers.headers import CACHE, caching, of_budget, of_hit, of_level
from providers.wire.chat_answer import DONE, Chunks, Gathered, sse, usage_body
from providers.wire.chat_request import ChatRequest, parse
from providers.wire.errors import STOPPING, internal_body, limit_headers, openai_body
from providers.wire.http import Exchange, Headers, Heart, encoded
from providers.wire.once import idempotency_key, said, send_reply
from providers.wire.receipts import path_of
from providers.wire.tagging import tagged

log = get_logger(__name__)

KEEP_ALIVE_S = 15.0
_STREAM_HEADERS: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]


async def complete(exchange: Exchange, caller: Caller, body: bytes) -> None:
    """Raise EngineError while nothing was written; afterwards it is the stream's last event."""
    traceparent = exchange.header(b"traceparent") or None
    asked = parse(body, exchange.id, traceparent, cache=caching(exchange.header(CACHE.encode())))
    key = idempotency_key(exchange)
    if key is not None:
        asked = replace(asked, request=replace(asked.request, idempotency_key=key))
    wanted = asked.request
    caller = tagged(caller, exchange, wanted.metadata)
    if wanted.stream:
        await _stream(exchange, caller, asked)
        return
    making = partial(_whole, wanted, caller)
    reply = await gateway.answer_once(wanted, caller, said(exchange, body), making)
    await send_reply(exchange, reply)


async def _whole(wanted: CompletionRequest, caller: Caller) -> gateway.Reply:
    created = int(time.time())
    gathered = Gathered()
    async with gateway.open_answer(wanted, caller) as answer:
        async for event in answer.events:
            gathered.add(event)
    # Left the context: every attempt is booked, so the figures are final.
    body = gathered.body(wanted, created)
    usage, cost_nano = answer.call.usage, answer.call.cost_nano
    if usage is not None:
        body["usage"] = usage_body(usage, cost_nano)
    headers = _answer_headers(answer)
    cost = dollars(cost_nano)
    if cost is not None:
        headers.append((b"x-gai-cost-usd", cost.encode()))
    return gateway.Reply(orjson.dumps(body), tuple(headers))


async def _stream(exchange: Exchange, caller: Caller, asked: ChatRequest) -> None:
    """After the first byte a failure is the stream's last event, and never a clean end.

    Without [DONE]: neither SDK takes a missing one for an error, so the event must say it.
    """
    try:
        await _write_stream(exchange, caller, asked)
    except (Exception, asyncio.CancelledError) as failure:
        if not exchange.is_started:
            raise
        await exchange.write(sse(_last_words(failure, exchange)), more=False)
        if isinstance(failure, asyncio.CancelledError):
            raise


async def _write_stream(exchange: Exchange, caller: Caller, asked: ChatRequest) -> None:
    chunks = Chunks(asked.request, int(time.time()), include_usage=asked.include_usage)
    heart: Heart | None = None
    try:
        async with gateway.open_answer(asked.request, caller) as answer:
            await exchange.start(200, [*_STREAM_HEADERS, *_answer_headers(answer)])
            heart = Heart(exchange, KEEP_ALIVE_S)
            await heart.write(chunks.first())
            async for event in answer.events:
                await _write(heart, chunks, event)
        await exchange.write(_end(chunks, answer, asked), more=False)
    finally:
        if heart is not None:
            heart.stop()


def _last_words(failure: BaseException, exchange: Exchange) -> dict[str, object]:
    if isinstance(failure, EngineError):
        return openai_body(failure)
    if isinstance(failure, asyncio.CancelledError):
        # Of no use to who hung up, but when the server stops the reader is still there.
        return openai_body(STOPPING)
    log.error("stream_broken", request_id=str(exchange.id), exc_info=failure)
    return internal_body(str(exchange.id))


async def _write(heart: Heart, chunks: Chunks, event: Event) -> None:
    chunk = chunks.of(event)
    if chunk:
        await heart.write(chunk)


def _end(chunks: Chunks, answer: Answer, asked: ChatRequest) -> bytes:
    """Usage and [DONE] come after the settlement: who has read them knows the final cost."""
    usage = answer.call.usage
    if asked.include_usage and usage is not None:
        return chunks.usage(usage, answer.call.cost_nano) + DONE
    return DONE


def _answer_headers(answer: Answer) -> Headers:
    deployment = answer.deployment
    return [
        (b"x-gai-provider", deployment.provider.encode()),
        (b"x-gai-deployment", deployment.name.encode("latin-1", "replace")),
        (b"x-gai-attempts", str(len(answer.call.attempts)).encode()),
        (b"x-gai-fallback", b"true" if answer.is_fallback else b"false"),
        (b"x-gai-receipt", path_of(answer.call.id)),
        *limit_headers(answer.call.remaining),
        *encoded(of_level(answer.call.worst_level)),
        *encoded(of_budget(answer.call.cheaper_route)),
        *encoded(of_hit(answer.hit)),
    ]
