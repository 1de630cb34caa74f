"""Anthropic's Messages wire."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from providers.engine.adapters.anthropic_messages.decode import (
    models_in,
    plain_events,
    stream_events,
)
from providers.engine.adapters.anthropic_messages.encode import KIND, encoded
from providers.engine.adapters.anthropic_messages.errors import error_from
from providers.engine.bounds import file_tokens
from providers.engine.call import Attempt, Call, Reply
from providers.engine.failures import request_id
from providers.engine.request import Image, RawBody
from providers.engine.routes import Deployment
from providers.engine.upstream import Outgoing, Upstream

_VERSION = "2023-06-01"
_TOKENS_A_MESSAGE = 8
# Source: Anthropic, "Tool use", table of system prompt tokens: up to 733 for `any` or `tool`.
_TOKENS_FOR_TOOLS = 800
# Source: Anthropic, "Vision": width x height / 750, and 4,784 at the largest size.
_TOKENS_AN_IMAGE = 4_784
# Fields of the body are refused without the headers that switch them on.
_PASSED_HEADERS = ("anthropic-version", "anthropic-beta")


@dataclass(frozen=True, slots=True)
class AnthropicMessagesAdapter:
    upstream: Upstream
    kind: str = KIND

    def input_overhead(self, call: Call) -> int:
        messages = call.request.messages
        images = sum(isinstance(part, Image) for message in messages for part in message.parts)
        tools = _TOKENS_FOR_TOOLS if call.request.tools else 0
        media = _TOKENS_AN_IMAGE * images + file_tokens(call.request)
        return _TOKENS_A_MESSAGE * (len(messages) + 2) + media + tools

    @asynccontextmanager
    async def open(self, attempt: Attempt, secret: str | None) -> AsyncGenerator[Reply]:
        deployment = attempt.deployment
        request = attempt.call.request
        outgoing = Outgoing(
            deployment=deployment,
            path="/v1/messages",
            headers=_headers(secret, request.raw, streams=request.stream),
            body=encoded(request, deployment),
        )
        async with self.upstream.send(outgoing) as incoming:
            if incoming.status != 200:
                raise error_from(deployment, incoming, await incoming.read(), secret)
            streams = request.stream and not incoming.is_json
            decode = stream_events if streams else plain_events
            yield Reply(
                events=decode(attempt, incoming, secret),
                http_status=incoming.status,
                upstream_request_id=request_id(incoming.headers),
            )

    async def check(self, deployment: Deployment, secret: str | None) -> int:
        headers = _headers(secret, None, streams=False)
        outgoing = Outgoing(deployment, "/v1/models?limit=1000", headers)
        incoming, body = await self.upstream.fetch(outgoing)
        if incoming.status != 200:
            raise error_from(deployment, incoming, body, secret)
        return models_in(deployment, body)


def _headers(secret: str | None, raw: RawBody | None, *, streams: bool) -> Mapping[str, str]:
    headers = {
        "content-type": "application/json",
        "anthropic-version": _VERSION,
        "accept": "text/event-stream" if streams else "application/json",
        # A compressor upstream may hold a stream's pieces back.
        "accept-encoding": "identity" if streams else "gzip, deflate",
    }
    if raw is not None and raw.wire == KIND:
        passed = {name.lower(): value for name, value in raw.headers.items()}
        headers.update((name, passed[name]) for name in _PASSED_HEADERS if name in passed)
    if secret:
        headers["x-api-key"] = secret
    return headers
