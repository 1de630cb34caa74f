"""OpenAI's Chat Completions wire, as OpenAI and the many that speak it speak it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from providers.engine.adapters.openai_chat.decode import models_in, plain_events, stream_events
from providers.engine.adapters.openai_chat.encode import encoded
from providers.engine.adapters.openai_chat.errors import error_from
from providers.engine.adapters.openai_chat.messages import KIND
from providers.engine.bounds import file_tokens
from providers.engine.call import Attempt, Call, Reply
from providers.engine.failures import request_id
from providers.engine.request import Image
from providers.engine.routes import Deployment
from providers.engine.upstream import Outgoing, Upstream

# Role and separators around each message, and the priming of the answer.
# Source: OpenAI cookbook, "How to count tokens": 3 to 4 a message, 3 for the answer.
_TOKENS_A_MESSAGE = 8
# A 2048 x 768 picture of eight tiles at 5,667 each and 2,833 for the base, on gpt-4o-mini.
# Source: OpenAI, "Images and vision", the dearest line of its table.
_TOKENS_AN_IMAGE = 48_169


@dataclass(frozen=True, slots=True)
class OpenAIChatAdapter:
    upstream: Upstream
    kind: str = KIND

    def input_overhead(self, call: Call) -> int:
        messages = call.request.messages
        images = sum(isinstance(part, Image) for message in messages for part in message.parts)
        media = _TOKENS_AN_IMAGE * images + file_tokens(call.request)
        return _TOKENS_A_MESSAGE * (len(messages) + 2) + media

    @asynccontextmanager
    async def open(self, attempt: Attempt, secret: str | None) -> AsyncGenerator[Reply]:
        deployment = attempt.deployment
        request = attempt.call.request
        outgoing = Outgoing(
            deployment=deployment,
            path="/chat/completions",
            headers=_headers(deployment, secret, streams=request.stream),
            body=encoded(request, deployment),
        )
        async with self.upstream.send(outgoing) as incoming:
            if incoming.status != 200:
                raise error_from(deployment, incoming, await incoming.read(), secret)
            # A server that does not stream may answer plainly all the same.
            streams = request.stream and not incoming.is_json
            decode = stream_events if streams else plain_events
            yield Reply(
                events=decode(attempt, incoming, secret),
                http_status=incoming.status,
                upstream_request_id=request_id(incoming.headers),
            )

    async def check(self, deployment: Deployment, secret: str | None) -> int:
        outgoing = Outgoing(deployment, "/models", _headers(deployment, secret, streams=False))
        incoming, body = await self.upstream.fetch(outgoing)
        if incoming.status != 200:
            raise error_from(deployment, incoming, body, secret)
        return models_in(deployment, body)


def _headers(deployment: Deployment, secret: str | None, *, streams: bool) -> Mapping[str, str]:
    headers = {
        "content-type": "application/json",
        "accept": "text/event-stream" if streams else "application/json",
        # A compressor upstream may hold a stream's pieces back.
        "accept-encoding": "identity" if streams else "gzip, deflate",
    }
    if secret:
        headers["authorization"] = f"Bearer {secret}"
    if organization := deployment.options.get("organization"):
        headers["openai-organization"] = organization
    return headers
