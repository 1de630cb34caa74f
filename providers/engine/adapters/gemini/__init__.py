"""Google's Gemini wire: `generateContent`, streamed with `alt=sse`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import quote

from providers.engine.adapters.gemini.decode import models_in, plain_events, stream_events
from providers.engine.adapters.gemini.encode import KIND, encoded
from providers.engine.adapters.gemini.errors import error_from
from providers.engine.call import Attempt, Call, Reply
from providers.engine.failures import request_id
from providers.engine.request import Audio, File, Image
from providers.engine.routes import Deployment
from providers.engine.upstream import Outgoing, Upstream

_TOKENS_A_MESSAGE = 8
# Declarations are written into the prompt in a form of their own.
_TOKENS_A_TOOL = 64
# Tiles of 768 x 768 pixels at 258 tokens each; Gemini 3 takes at most 2,240 at its finest.
# Source: Google, "Image understanding" and "Media resolution".
_TOKENS_AN_IMAGE = 5_160
# 32 tokens a second, and a page is 258; both grow with the bytes, which are counted anyway.
_TOKENS_A_FILE = 5_160


@dataclass(frozen=True, slots=True)
class GeminiAdapter:
    upstream: Upstream
    kind: str = KIND

    def input_overhead(self, call: Call) -> int:
        request = call.request
        parts = [part for message in request.messages for part in message.parts]
        images = sum(isinstance(part, Image) for part in parts)
        files = sum(isinstance(part, Audio | File) for part in parts)
        return (
            _TOKENS_A_MESSAGE * (len(request.messages) + 2)
            + _TOKENS_A_TOOL * len(request.tools)
            + _TOKENS_AN_IMAGE * images
            + _TOKENS_A_FILE * files
        )

    @asynccontextmanager
    async def open(self, attempt: Attempt, secret: str | None) -> AsyncGenerator[Reply]:
        deployment = attempt.deployment
        streams = attempt.call.request.stream
        method = "streamGenerateContent?alt=sse" if streams else "generateContent"
        outgoing = Outgoing(
            deployment=deployment,
            path=f"/{model_path(deployment)}:{method}",
            headers=headers_of(secret, streams=streams),
            body=encoded(attempt.call.request, deployment),
        )
        async with self.upstream.send(outgoing) as incoming:
            if incoming.status != 200:
                raise error_from(deployment, incoming, await incoming.read(), secret)
            decode = stream_events if streams and not incoming.is_json else plain_events
            yield Reply(
                events=decode(attempt, incoming, secret),
                http_status=incoming.status,
                upstream_request_id=request_id(incoming.headers),
            )

    async def check(self, deployment: Deployment, secret: str | None) -> int:
        outgoing = Outgoing(deployment, "/models?pageSize=1000", headers_of(secret, streams=False))
        incoming, body = await self.upstream.fetch(outgoing)
        if incoming.status != 200:
            raise error_from(deployment, incoming, body, secret)
        return models_in(deployment, body)


def model_path(deployment: Deployment) -> str:
    """Name the model as the wire does; one that is tuned brings its own collection."""
    model = quote(deployment.model, safe="/-._~")
    return model if "/" in model else f"models/{model}"


def headers_of(secret: str | None, *, streams: bool) -> Mapping[str, str]:
    """Put the key into a header: in the address, which the wire allows, every log would have it."""
    headers = {
        "content-type": "application/json",
        "accept": "text/event-stream" if streams else "application/json",
        # A compressor upstream may hold a stream's pieces back.
        "accept-encoding": "identity" if streams else "gzip, deflate",
    }
    if secret:
        headers["x-goog-api-key"] = secret
    return headers
