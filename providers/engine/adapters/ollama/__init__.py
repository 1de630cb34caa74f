"""Ollama's own wire: `/api/chat`, streamed as lines of JSON."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from providers.engine.adapters.ollama.decode import models_in, plain_events, stream_events
from providers.engine.adapters.ollama.encode import KIND, encoded
from providers.engine.adapters.ollama.errors import error_from
from providers.engine.call import Attempt, Call, Reply
from providers.engine.failures import request_id
from providers.engine.request import Image
from providers.engine.routes import Deployment
from providers.engine.upstream import Outgoing, Upstream

# A model's own template may say a lot around each message, and more around tools.
_TOKENS_A_MESSAGE = 16
_TOKENS_FOR_TOOLS = 800
# Tiles of the largest picture that its vision models take.
_TOKENS_AN_IMAGE = 8_192


@dataclass(frozen=True, slots=True)
class OllamaAdapter:
    upstream: Upstream
    kind: str = KIND

    def input_overhead(self, call: Call) -> int:
        messages = call.request.messages
        images = sum(isinstance(part, Image) for message in messages for part in message.parts)
        tools = _TOKENS_FOR_TOOLS if call.request.tools else 0
        return _TOKENS_A_MESSAGE * (len(messages) + 2) + _TOKENS_AN_IMAGE * images + tools

    @asynccontextmanager
    async def open(self, attempt: Attempt, secret: str | None) -> AsyncGenerator[Reply]:
        deployment = attempt.deployment
        request = attempt.call.request
        body = encoded(request, deployment)
        outgoing = Outgoing(deployment, "/api/chat", headers_of(secret), body)
        async with self.upstream.send(outgoing) as incoming:
            if incoming.status != 200:
                raise error_from(deployment, incoming, await incoming.read(), secret)
            decode = stream_events if request.stream else plain_events
            yield Reply(
                events=decode(attempt, incoming, secret),
                http_status=incoming.status,
                upstream_request_id=request_id(incoming.headers),
            )

    async def check(self, deployment: Deployment, secret: str | None) -> int:
        outgoing = Outgoing(deployment, "/api/tags", headers_of(secret))
        incoming, body = await self.upstream.fetch(outgoing)
        if incoming.status != 200:
            raise error_from(deployment, incoming, body, secret)
        return models_in(deployment, body)


def headers_of(secret: str | None) -> Mapping[str, str]:
    """Put the key into a header; only a server behind a proxy, or Ollama's own cloud, has one."""
    headers = {"content-type": "application/json", "accept-encoding": "identity"}
    return {**headers, "authorization": f"Bearer {secret}"} if secret else headers
