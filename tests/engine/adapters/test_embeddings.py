"""What every wire's vectors must hold; real traffic is in `recorded/embeddings.py`."""

from __future__ import annotations

import base64
import json
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from providers.engine.adapters.gemini.embeddings import GeminiEmbeddings
from providers.engine.adapters.ollama.embeddings import OllamaEmbeddings
from providers.engine.adapters.openai_chat.embeddings import OpenAIEmbeddings
from providers.engine.embedding import EmbeddingReply
from providers.engine.errors import (
    EngineError,
    UpstreamGarbled,
    UpstreamMisconfigured,
    UpstreamRejected,
    UpstreamThrottled,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from providers.engine.ports import EmbeddingAdapter
from providers.engine.upstream import Upstream
from providers.engine.usage import Usage
from tests.engine.adapters.replay import Chunks
from tests.fakes import a_deployment

SECRET = "sk-very-secret"


@dataclass
class Answered:
    """One answer for one request; `sent` keeps what went upstream."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    error: Exception | None = None
    sent: list[httpx.Request] = field(default_factory=list)

    def upstream(self) -> Upstream:
        return Upstream(transport=httpx.MockTransport(self._handle))

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        stream = Chunks([self.body], self.error)
        return httpx.Response(self.status, headers=self.headers, stream=stream)


@dataclass(frozen=True)
class Wire:
    """How one wire answers two vectors in order, and how it fails."""

    make: Callable[[Upstream], EmbeddingAdapter]
    answer: Any
    usage: Usage | None
    without_one: Any
    error: Any
    dimensions: Callable[[dict[str, Any]], Any]


def _packed(*numbers: float) -> str:
    return base64.b64encode(array("f", numbers).tobytes()).decode()


VECTORS = ((0.5, -0.25), (1.0, 0.125))
WIRES = {
    "openai_chat": Wire(
        OpenAIEmbeddings,
        {
            "data": [
                {"index": 1, "embedding": _packed(1.0, 0.125)},
                {"index": 0, "embedding": [0.5, -0.25]},
            ],
            "model": "embed-1",
            "usage": {"prompt_tokens": 7, "total_tokens": 7},
        },
        Usage(7, 0),
        {"data": [{"index": 0, "embedding": [0.5]}]},
        {"error": {"message": "no", "type": "t", "code": None}},
        lambda body: body.get("dimensions"),
    ),
    "gemini": Wire(
        GeminiEmbeddings,
        {
            "embeddings": [{"values": [0.5, -0.25]}, {"values": [1, 0.125]}],
            "usageMetadata": {"promptTokenCount": 7},
        },
        Usage(7, 0),
        {"embeddings": [{"values": [0.5]}, {}]},
        {"error": {"message": "no"}},
        lambda body: body["requests"][1].get("outputDimensionality"),
    ),
    "ollama": Wire(
        OllamaEmbeddings,
        {"model": "m", "embeddings": [[0.5, -0.25], [1, 0.125]], "prompt_eval_count": 7},
        Usage(7, 0),
        {"embeddings": [[0.5], []]},
        {"error": "no"},
        lambda body: body.get("dimensions"),
    ),
}
every_wire = pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)


async def embed(wire: Wire, answered: Answered, **more: Any) -> EmbeddingReply:
    adapter = wire.make(answered.upstream())
    deployment = a_deployment(kind=adapter.kind, model="embed-0")
    return await adapter.embed(deployment, ("a", "b"), more.get("dimensions"), SECRET)


def _json(value: Any) -> Answered:
    headers = {"content-type": "application/json", "x-request-id": "req_9"}
    return Answered(json.dumps(value).encode(), headers=headers)


@every_wire
async def test_vectors_come_in_the_order_of_their_texts(wire: Wire) -> None:
    answered = _json(wire.answer)
    reply = await embed(wire, answered)
    assert reply.vectors == VECTORS
    assert reply.usage == wire.usage
    assert reply.upstream_request_id == "req_9"
    body = json.loads(answered.sent[0].content)
    assert wire.dimensions(body) is None
    assert "null" not in answered.sent[0].content.decode()


@every_wire
async def test_a_number_of_dimensions_is_asked_for(wire: Wire) -> None:
    answered = _json(wire.answer)
    await embed(wire, answered, dimensions=2)
    assert wire.dimensions(json.loads(answered.sent[0].content)) == 2


@every_wire
async def test_fewer_vectors_than_texts_are_never_given_out(wire: Wire) -> None:
    with pytest.raises(UpstreamGarbled):
        await embed(wire, _json(wire.without_one))


@every_wire
@pytest.mark.parametrize("body", [b"{oops", b"[]", b"null", b"{}"])
async def test_what_is_no_answer_of_the_wire_is_garbled(wire: Wire, body: bytes) -> None:
    with pytest.raises(UpstreamGarbled):
        await embed(wire, Answered(body))


@every_wire
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, UpstreamRejected),
        (404, UpstreamMisconfigured),
        (429, UpstreamThrottled),
        (503, UpstreamUnavailable),
    ],
)
async def test_a_refusal_has_its_error(wire: Wire, status: int, kind: type[EngineError]) -> None:
    answered = _json(wire.error)
    answered.status = status
    with pytest.raises(EngineError) as caught:
        await embed(wire, answered)
    assert type(caught.value) is kind


@every_wire
async def test_a_server_that_falls_silent_times_out(wire: Wire) -> None:
    with pytest.raises(UpstreamTimeout):
        await embed(wire, Answered(b"{", error=httpx.ReadTimeout("silence")))


@every_wire
async def test_the_key_travels_in_a_header_and_nowhere_else(wire: Wire) -> None:
    answered = _json(wire.answer)
    await embed(wire, answered)
    (sent,) = answered.sent
    assert SECRET not in str(sent.url)
    assert SECRET.encode() not in sent.content
    assert sum(SECRET in value for value in sent.headers.values()) == 1


@pytest.mark.parametrize("vector", ["@@@", "AAA=", 7, None, [], ["a"], [[1]]])
async def test_a_vector_that_is_none_is_garbled(vector: Any) -> None:
    data = [{"index": 0, "embedding": [1]}, {"index": 1, "embedding": vector}]
    with pytest.raises(UpstreamGarbled):
        await embed(WIRES["openai_chat"], _json({"data": data}))


async def test_two_vectors_of_one_index_are_not_given_out() -> None:
    data = [{"index": 0, "embedding": [1]}, {"index": 0, "embedding": [2]}]
    with pytest.raises(UpstreamGarbled, match="1 vectors for 2 texts"):
        await embed(WIRES["openai_chat"], _json({"data": data}))
