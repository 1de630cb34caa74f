"""`/api/embed`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson

from providers.engine.adapters.ollama import headers_of
from providers.engine.adapters.ollama.encode import KIND
from providers.engine.adapters.ollama.errors import error_from
from providers.engine.embedding import EmbeddingReply, Vector
from providers.engine.errors import UpstreamGarbled
from providers.engine.failures import request_id
from providers.engine.json_fields import Fields, count, numbers, parsed, text
from providers.engine.routes import Deployment
from providers.engine.upstream import Outgoing, Upstream
from providers.engine.usage import Usage


@dataclass(frozen=True, slots=True)
class OllamaEmbeddings:
    """A text that is too long is an error; by itself the server would cut it without a word.

    `most_inputs` is ours: the server has no bound, and answers when all are done.
    """

    upstream: Upstream
    kind: str = KIND
    most_inputs: int = 512

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
            "truncate": False,
        }
        if dimensions is not None:
            body["dimensions"] = dimensions
        outgoing = Outgoing(deployment, "/api/embed", headers_of(secret), orjson.dumps(body))
        incoming, answer = await self.upstream.fetch(outgoing)
        if incoming.status != 200:
            raise error_from(deployment, incoming, answer, secret)
        said = parsed(answer, deployment.name)
        return EmbeddingReply(
            vectors=_vectors(said, len(inputs), deployment.name),
            model=text(said, "model") or deployment.model,
            usage=Usage(count(said, "prompt_eval_count"), output_tokens=0)
            if "prompt_eval_count" in said
            else None,
            http_status=incoming.status,
            upstream_request_id=request_id(incoming.headers),
        )


def _vectors(said: Fields, expected: int, name: str) -> tuple[Vector, ...]:
    given = said.get("embeddings")
    listed = cast("list[object]", given) if isinstance(given, list) else []
    found = tuple(numbers(each) for each in listed)
    if len(found) != expected or not all(found):
        raise UpstreamGarbled(f"{name} sent {len(found)} vectors for {expected} texts.")
    return found
