"""What Ollama says of a failure, which is words and a status."""

from __future__ import annotations

from typing import Any, cast

import orjson

from providers.engine.errors import (
    ContextTooLong,
    EngineError,
    QuotaExhausted,
    UpstreamMisconfigured,
    UpstreamOverloaded,
    UpstreamUnavailable,
)
from providers.engine.failures import Complaint, by_status
from providers.engine.json_fields import text
from providers.engine.routes import Deployment
from providers.engine.upstream import Incoming

_BY_WORDS: tuple[tuple[str, type[EngineError]], ...] = (
    ("exceeds the context length", ContextTooLong),
    ("exceeds maximum context length", ContextTooLong),
    ("exceeds the available context size", ContextTooLong),
    ("usage limit", QuotaExhausted),
    ("server busy", UpstreamOverloaded),
    ("try pulling it first", UpstreamMisconfigured),
)


def error_from(
    deployment: Deployment, incoming: Incoming, body: bytes, secret: str | None
) -> EngineError:
    try:
        said: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        said = {}
    return error_in(deployment, said, incoming, secret)


def error_in(
    deployment: Deployment, said: object, incoming: Incoming, secret: str | None
) -> EngineError:
    """Read an error object, of a failed response or from the middle of a good one."""
    words = text(cast("dict[str, Any]", said), "error") if isinstance(said, dict) else ""
    complaint = Complaint(
        deployment=deployment.name,
        status=incoming.status,
        words=words,
        headers=incoming.headers,
        secret=secret,
    )
    return complaint.become(_kind(incoming.status, words.lower()))


def _kind(status: int, words: str) -> type[EngineError]:
    by_words = next((kind for hint, kind in _BY_WORDS if hint in words), None)
    if by_words is not None:
        return by_words
    # Inside a good stream an error is the server's.
    return by_status(status) if status >= 400 else UpstreamUnavailable
