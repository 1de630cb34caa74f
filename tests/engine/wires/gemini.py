from __future__ import annotations

import json
from typing import Any

from tests.engine.adapters.replay import sse
from tests.engine.wires.wire import SECRET, Wire

_USAGE = {
    "promptTokenCount": 30,
    "candidatesTokenCount": 12,
    "cachedContentTokenCount": 20,
    "totalTokenCount": 42,
}
_THOUGHT = {"text": "Hm.", "thought": True}
_LOOK = {"functionCall": {"id": "call_a", "name": "look", "args": {"at": "sky"}}}
_WAIT = {"functionCall": {"id": "call_b", "name": "wait"}}
_STATUS_WORDS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    529: "UNAVAILABLE",
}


def _piece(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    candidate = {"content": {"parts": list(parts), "role": "model"}, "index": 0, **more}
    usage = _USAGE if more else {"promptTokenCount": 30, "totalTokenCount": 30}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini-x"}


def _error(word: str, status: int) -> dict[str, Any]:
    words = {
        "context": "The input token count (9) exceeds the maximum number of tokens allowed (8).",
        "quota": "Your prepayment credits are depleted.",
    }
    message = words.get(word, f"{SECRET} is long")
    return {
        "error": {
            "code": status,
            "message": message,
            "status": _STATUS_WORDS[status],
        }
    }


WIRE = Wire(
    kind="gemini",
    stream=sse(
        _piece(_THOUGHT),
        _piece({"text": "Hello, "}),
        _piece({"text": "世界"}),
        _piece(_LOOK),
        _piece(_WAIT, finishReason="STOP"),
    ),
    plain=json.dumps(
        _piece(_THOUGHT, {"text": "Hello, 世界"}, _LOOK, _WAIT, finishReason="STOP")
    ).encode(),
    unknown=b'data: {"news": 1}\n\n',
    limit="generationConfig.maxOutputTokens",
    errors=_error,
)
