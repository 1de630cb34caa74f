"""Texts to vectors: what is asked and what is answered."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from providers.engine.usage import Usage

Vector = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """`inputs` is never empty. `dimensions` None: as many as the model has.

    The same `idempotency_key` of one caller is one request, however often it is sent.
    """

    id: UUID
    route: str
    inputs: tuple[str, ...]
    dimensions: int | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class EmbeddingReply:
    """One vector for each input, in the order of the inputs.

    `usage` None: the provider did not say. `model` is its own name of what answered.
    """

    vectors: tuple[Vector, ...]
    model: str
    usage: Usage | None = None
    http_status: int | None = None
    upstream_request_id: str | None = None
