"""Vectors of OpenAI's and Google's wires, read by the module `array`."""

from __future__ import annotations

import base64
import json
from array import array
from collections.abc import Sequence
from typing import Any, NamedTuple

import httpx

from providers.engine.adapters.gemini.embeddings import GeminiEmbeddings
from providers.engine.adapters.openai_chat.embeddings import OpenAIEmbeddings
from providers.engine.errors import EngineError
from providers.engine.upstream import Upstream
from tests.engine.adapters.replay import Chunks
from tests.fakes import a_deployment


class Embedded(NamedTuple):
    """`tokens` None: the provider did not say."""

    vectors: list[list[float]]
    tokens: int | None
    error: str | None = None


def expected(recording: dict[str, Any]) -> Embedded:
    body = json.loads(recording["response"]["body"])
    if recording["response"]["status"] == 404:
        return Embedded([], None, "UpstreamMisconfigured")
    if "embeddings" in body:
        vectors = [each["values"] for each in body["embeddings"]]
        return Embedded(vectors, body.get("usageMetadata", {}).get("promptTokenCount"))
    # intfloat/e5-mistral-7b-instruct has 4,096 dimensions; its recording has 8 bytes for each.
    width = "d" if body["model"].startswith("intfloat") else "f"
    vectors = [
        array(width, base64.b64decode(each["embedding"])).tolist()
        if isinstance(each["embedding"], str)
        else each["embedding"]
        for each in sorted(body["data"], key=lambda each: each["index"])
    ]
    return Embedded(vectors, body["usage"]["prompt_tokens"])


async def heard(recording: dict[str, Any], pieces: Sequence[bytes] | None) -> Embedded:
    response = recording["response"]
    body = pieces or [response["body"].encode()]
    transport = httpx.MockTransport(
        lambda _: httpx.Response(response["status"], stream=Chunks(body))
    )
    is_google = "googleapis" in recording["request"]["url"]
    adapter = (GeminiEmbeddings if is_google else OpenAIEmbeddings)(Upstream(transport=transport))
    deployment = a_deployment(kind=adapter.kind)
    try:
        reply = await adapter.embed(deployment, _inputs(recording), None, None)
    except EngineError as error:
        return Embedded([], None, type(error).__name__)
    tokens = None if reply.usage is None else reply.usage.input_tokens
    return Embedded([list(vector) for vector in reply.vectors], tokens)


def _inputs(recording: dict[str, Any]) -> list[str]:
    body = json.loads(recording["request"]["body"])
    if "requests" in body:
        return [each["content"]["parts"][0]["text"] for each in body["requests"]]
    return [body["input"]] if isinstance(body["input"], str) else body["input"]
