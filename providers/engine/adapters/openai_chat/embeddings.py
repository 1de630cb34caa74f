"""`POST /embeddings`, as OpenAI and those that are compatible with it answer it."""

from __future__ import annotations

import binascii
import struct
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from providers.engine.adapters.openai_chat.errors import error_from
from providers.engine.adapters.openai_chat.messages import KIND
from providers.engine.embedding import EmbeddingReply, Vector
from providers.engine.errors import UpstreamGarbled
from providers.engine.failures import request_id
from providers.engine.json_fields import Fields, count, inner, numbers, objects, parsed, text
from providers.engine.routes import Deployment
from providers.engine.upstream import Outgoing, Upstream
from providers.engine.usage import Usage

# A number of 32 bits, widened to 64, leaves the lowest 29 empty.
_WIDENED = (1 << 29) - 1


@dataclass(frozen=True, slots=True)
class OpenAIEmbeddings:
    """Asks for base64, a third of the bytes; a server that does not know it answers in numbers.

    That is how OpenAI's own Python client asks, which every compatible server must bear.
    `most_inputs`, source: OpenAI, API reference, "Create embeddings".
    """

    upstream: Upstream
    kind: str = KIND
    most_inputs: int = 2048

    async def embed(
        self,
        deployment: Deployment,
        inputs: Sequence[str],
        dimensions: int | None,
        secret: str | None,
    ) -> EmbeddingReply:
        body: dict[str, Any] = {
            "model": deployment.model,
            "input": list(inputs),
            "encoding_format": "base64",
        }
        if dimensions is not None:
            body["dimensions"] = dimensions
        headers = _headers(deployment, secret)
        outgoing = Outgoing(deployment, "/embeddings", headers, orjson.dumps(body))
        incoming, answer = await self.upstream.fetch(outgoing)
        if incoming.status != 200:
            raise error_from(deployment, incoming, answer, secret)
        said = parsed(answer, deployment.name)
        if said.get("error"):
            raise error_from(deployment, incoming, answer, secret)
        return EmbeddingReply(
            vectors=_vectors(said, len(inputs), deployment.name),
            model=text(said, "model") or deployment.model,
            usage=_usage(said),
            http_status=incoming.status,
            upstream_request_id=request_id(incoming.headers),
        )


def _headers(deployment: Deployment, secret: str | None) -> Mapping[str, str]:
    headers = {"content-type": "application/json", "accept": "application/json"}
    if secret:
        headers["authorization"] = f"Bearer {secret}"
    if organization := deployment.options.get("organization"):
        headers["openai-organization"] = organization
    return headers


def _vectors(said: Fields, expected: int, name: str) -> tuple[Vector, ...]:
    """Put them into the order of the inputs: by their index, which need not be that of the list."""
    found: dict[int, Vector] = {}
    for place, item in enumerate(objects(said.get("data"))):
        index = item.get("index", place)
        found[index if isinstance(index, int) else place] = _vector(item.get("embedding"), name)
    if found.keys() != set(range(expected)):
        raise UpstreamGarbled(f"{name} sent {len(found)} vectors for {expected} texts.")
    return tuple(found[place] for place in range(expected))


def _vector(value: object, name: str) -> Vector:
    try:
        found = _unpacked(b64decode(value, validate=True)) if isinstance(value, str) else None
    except (binascii.Error, struct.error) as error:
        raise UpstreamGarbled(f"{name} sent a vector that nobody can read.") from error
    found = numbers(value) if found is None else found
    if not found:
        raise UpstreamGarbled(f"{name} sent no vector where one was due.")
    return found


def _unpacked(data: bytes) -> Vector:
    """Read little-endian numbers of 32 bits, or of 64 as older vLLM sends them."""
    low = struct.unpack(f"<{len(data) // 4}I", data)[::2]
    is_wide = len(data) % 8 == 0 and any(data) and not any(word & _WIDENED for word in low)
    return struct.unpack(f"<{len(data) // 8}d" if is_wide else f"<{len(data) // 4}f", data)


def _usage(said: Fields) -> Usage | None:
    usage = inner(said, "usage")
    return Usage(count(usage, "prompt_tokens"), output_tokens=0) if usage else None
