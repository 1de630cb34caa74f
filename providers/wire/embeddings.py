"""`POST /v1/embeddings` in OpenAI's shape. Source: OpenAI, API reference, "Create embeddings".

Vectors in base64 are little-endian numbers of 32 bits; openai-python asks for them by default.
They are never cached, so that `x-gai-cache` means nothing here.
"""

from __future__ import annotations

import struct
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

import orjson

from providers import gateway, headers
from providers.engine.call import Caller, Embedding
from providers.engine.embedding import EmbeddingRequest, Vector
from providers.engine.errors import InvalidRequest
from providers.engine.usage import dollars
from providers.wire.errors import limit_headers
from providers.wire.fields import integer, items, json_object, optional, text
from providers.wire.http import Exchange, Headers, encoded
from providers.wire.once import idempotency_key, said, send_reply
from providers.wire.receipts import path_of
from providers.wire.tagging import tagged

MOST_INPUTS = 2048
MOST_DIMENSIONS = 65_536
_FORMATS = ("float", "base64")


@dataclass(frozen=True, slots=True)
class EmbeddingsRequest:
    request: EmbeddingRequest
    is_base64: bool


async def embed(exchange: Exchange, caller: Caller, body: bytes) -> None:
    """Raise EngineError; nothing was written then."""
    asked, caller = parse(body, exchange.id, idempotency_key(exchange)), tagged(caller, exchange)
    making = partial(_whole, asked, caller)
    reply = await gateway.answer_once(asked.request, caller, said(exchange, body), making)
    await send_reply(exchange, reply)


def parse(body: bytes, request_id: UUID, key: str | None = None) -> EmbeddingsRequest:
    """Raise InvalidRequest with the path of the faulty field."""
    fields = json_object(body)
    form = optional(fields, "encoding_format", text) or "float"
    if form not in _FORMATS:
        raise InvalidRequest(
            "`encoding_format` must be `float` or `base64`.", param="encoding_format"
        )
    request = EmbeddingRequest(
        id=request_id,
        route=text(fields.get("model"), "model"),
        inputs=_inputs(fields.get("input")),
        dimensions=_dimensions(fields),
        idempotency_key=key,
    )
    return EmbeddingsRequest(request, form == "base64")


async def _whole(asked: EmbeddingsRequest, caller: Caller) -> gateway.Reply:
    found = await gateway.embed(asked.request, caller)
    return gateway.Reply(orjson.dumps(answer(found, asked)), tuple(_headers(found)))


def answer(found: Embedding, asked: EmbeddingsRequest) -> dict[str, Any]:
    usage = found.call.usage
    tokens = 0 if usage is None else usage.input_tokens
    written = _packed if asked.is_base64 else list
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": place, "embedding": written(vector)}
            for place, vector in enumerate(found.vectors)
        ],
        "model": asked.request.route,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _inputs(value: Any) -> tuple[str, ...]:
    given = [value] if isinstance(value, str) else items(value, "input")
    if not given:
        raise InvalidRequest("`input` is empty; send a text, or some.", param="input")
    if len(given) > MOST_INPUTS:
        raise InvalidRequest(
            f"`input` has {len(given):,} texts; at most {MOST_INPUTS:,} are allowed.",
            param="input",
        )
    return tuple(_text(each, f"input.{n}") for n, each in enumerate(given))


def _text(value: Any, path: str) -> str:
    if isinstance(value, (int, list)):
        raise InvalidRequest(
            "Arrays of tokens are not taken, since each model counts its own; send texts.",
            param="input",
        )
    found = text(value, path)
    if not found:
        raise InvalidRequest(f"`{path}` is empty; no model has a vector for it.", param=path)
    return found


def _dimensions(fields: Mapping[str, Any]) -> int | None:
    dimensions = optional(fields, "dimensions", integer)
    if dimensions is not None and not 1 <= dimensions <= MOST_DIMENSIONS:
        raise InvalidRequest(
            f"`dimensions` must be within 1 and {MOST_DIMENSIONS:,}.", param="dimensions"
        )
    return dimensions


def _packed(vector: Vector) -> str:
    return b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _headers(found: Embedding) -> Headers:
    call, deployment = found.call, found.deployment
    told: Headers = [
        (b"x-gai-provider", deployment.provider.encode()),
        (b"x-gai-deployment", deployment.name.encode("latin-1", "replace")),
        (b"x-gai-attempts", str(len(call.attempts)).encode()),
        (b"x-gai-fallback", b"true" if call.is_fallback(deployment) else b"false"),
        (b"x-gai-receipt", path_of(call.id)),
        *limit_headers(call.remaining),
        *encoded(headers.of_level(call.level)),
    ]
    cost = dollars(call.cost_nano)
    return told if cost is None else [*told, (b"x-gai-cost-usd", cost.encode())]
