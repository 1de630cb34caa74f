"""`batchEmbedContents`: one small request for each text, all in one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from providers.engine.adapters.gemini import headers_of, model_path
from providers.engine.adapters.gemini.encode import KIND
from providers.engine.adapters.gemini.errors import error_from
from providers.engine.embedding import EmbeddingReply
from providers.engine.errors import UpstreamGarbled
from providers.engine.failures import request_id
from providers.engine.json_fields import Fields, count, inner, numbers, objects, parsed
from providers.engine.routes import Deployment
from providers.engine.upstream import Outgoing, Upstream
from providers.engine.usage import Usage


@dataclass(frozen=True, slots=True)
class GeminiEmbeddings:
    """`most_inputs`, source: the wire's own refusal, "at most 100 requests can be in one batch"."""

    upstream: Upstream
    kind: str = KIND
    most_inputs: int = 100

    async def embed(
        self,
        deployment: Deployment,
        inputs: Sequence[str],
        dimensions: int | None,
        secret: str | None,
    ) -> EmbeddingReply:
        path = model_path(deployment)
        outgoing = Outgoing(
            deployment,
            f"/{path}:batchEmbedContents",
            headers_of(secret, streams=False),
            orjson.dumps({"requests": [_request(path, text, dimensions) for text in inputs]}),
        )
        incoming, answer = await self.upstream.fetch(outgoing)
        if incoming.status != 200:
            raise error_from(deployment, incoming, answer, secret)
        said = parsed(answer, deployment.name)
        vectors = tuple(numbers(each.get("values")) for each in objects(said.get("embeddings")))
        if len(vectors) != len(inputs) or not all(vectors):
            raise UpstreamGarbled(
                f"{deployment.name} sent {len(vectors)} vectors for {len(inputs)} texts."
            )
        return EmbeddingReply(
            vectors=vectors,
            model=deployment.model,
            usage=_usage(said),
            http_status=incoming.status,
            upstream_request_id=request_id(incoming.headers),
        )


def _request(path: str, text: str, dimensions: int | None) -> dict[str, Any]:
    """Ask for one text; the answers have no names and come in the order of the requests."""
    request: dict[str, Any] = {"model": path, "content": {"parts": [{"text": text}]}}
    return request if dimensions is None else {**request, "outputDimensionality": dimensions}


def _usage(said: Fields) -> Usage | None:
    usage = inner(said, "usageMetadata")
    return Usage(count(usage, "promptTokenCount"), output_tokens=0) if usage else None
