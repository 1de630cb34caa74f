"""`/v1` as a plain ASGI application: no Django, no ORM, no session on a prompt's way."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any
from urllib.parse import unquote

from structlog import get_logger
from uuid_utils.compat import uuid7

from providers import gateway
from providers.engine.call import Caller
from providers.engine.codes import row_of
from providers.engine.errors import EngineError, KeyInvalid, MethodRefused, NoSuchPath
from providers.virtual_keys import InvalidKey
from providers.wire import chat, embeddings, models, receipts
from providers.wire.errors import (
    STOPPING,
    internal_body,
    openai_body,
    retry_headers,
)
from providers.wire.http import CallerGone, Exchange, Headers, Receive, Scope, Send

log = get_logger(__name__)

ROOT = "/v1"
_CHAT = "/v1/chat/completions"
_EMBEDDINGS = "/v1/embeddings"
_MODELS = "/v1/models"
_PREFLIGHT_S = b"600"
# The engine refuses larger prompts anyway; this bounds what is read at all.
MAX_BODY_BYTES = 20 * 1024 * 1024


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request; nothing but a bug leaves it."""
    exchange = Exchange(scope, receive, send, uuid7())
    try:
        if scope["method"] == "OPTIONS":
            await _preflight(exchange)
        else:
            await _route(exchange)
    except EngineError as error:
        await exchange.json(row_of(error).status, openai_body(error), retry_headers(error))
    except CallerGone:
        return
    except Exception:
        log.exception("request_broken", request_id=str(exchange.id))
        if exchange.is_started:
            raise
        headers = [(b"x-should-retry", b"false")]
        await exchange.json(500, internal_body(str(exchange.id)), headers)


async def _route(exchange: Exchange) -> None:
    path, method = exchange.scope["path"].rstrip("/"), exchange.scope["method"]
    if path == _CHAT:
        _allow(method, "POST")
        caller = await _caller(exchange)
        body = await exchange.body(MAX_BODY_BYTES)
        await _until_gone(exchange, chat.complete(exchange, caller, body))
    elif path == _EMBEDDINGS:
        _allow(method, "POST")
        caller = await _caller(exchange)
        body = await exchange.body(MAX_BODY_BYTES)
        await _until_gone(exchange, embeddings.embed(exchange, caller, body))
    elif path == _MODELS:
        _allow(method, "GET")
        await models.list_all(exchange, await _caller(exchange))
    elif path.startswith(_MODELS + "/"):
        _allow(method, "GET")
        name = unquote(path.removeprefix(_MODELS + "/"))
        await models.show(exchange, await _caller(exchange), name)
    elif path.startswith(receipts.ROOT + "/"):
        _allow(method, "GET")
        name = path.removeprefix(receipts.ROOT + "/")
        await receipts.show(exchange, await _caller(exchange), name)
    else:
        raise NoSuchPath(
            "There is nothing here. Known: /v1/chat/completions, /v1/embeddings, /v1/models and "
            "/v1/receipts/ID."
        )


def _allow(method: str, allowed: str) -> None:
    if method != allowed:
        raise MethodRefused(f"Use {allowed}.")


async def _caller(exchange: Exchange) -> Caller:
    scheme, _, secret = exchange.header(b"authorization").partition(" ")
    try:
        return await gateway.verify(secret.strip() if scheme.lower() == "bearer" else "")
    except InvalidKey:
        raise KeyInvalid(
            "This key is unknown, revoked or expired. Send `Authorization: Bearer gai_...`."
        ) from None


async def _until_gone(exchange: Exchange, work: Coroutine[Any, Any, None]) -> None:
    """Do `work`, and cancel it when the caller hangs up: leaving it closes the upstream.

    Raises ServerStopping where the server itself cancelled it before anything was written.
    """
    working = asyncio.current_task()
    watch = asyncio.ensure_future(exchange.gone())
    if working is None:
        raise RuntimeError
    hung_up = False

    def stop(done: asyncio.Future[None]) -> None:
        nonlocal hung_up
        if not done.cancelled():
            hung_up = True
            working.cancel()

    watch.add_done_callback(stop)
    try:
        await work
    except asyncio.CancelledError:
        working.uncancel()
        if not hung_up and not exchange.is_started:
            raise STOPPING from None
    finally:
        watch.remove_done_callback(stop)
        watch.cancel()


async def _preflight(exchange: Exchange) -> None:
    wanted = exchange.header(b"access-control-request-headers")
    headers: Headers = [
        (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
        (b"access-control-allow-headers", wanted.encode("latin-1") or b"authorization"),
        (b"access-control-max-age", _PREFLIGHT_S),
        (b"vary", b"access-control-request-headers"),
        (b"content-length", b"0"),
    ]
    await exchange.start(204, headers)
    await exchange.write(b"", more=False)
