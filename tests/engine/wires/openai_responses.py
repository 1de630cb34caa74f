from __future__ import annotations

import json
from typing import Any

from tests.engine.adapters.replay import sse
from tests.engine.wires.wire import CALLS, SECRET, Wire

_USAGE = {
    "input_tokens": 30,
    "input_tokens_details": {"cached_tokens": 20},
    "output_tokens": 12,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 42,
}
_THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]}
_TEXT = {"type": "message", "content": [{"type": "output_text", "text": "Hello, 世界"}]}
_CALLS = [
    {
        "type": "function_call",
        "call_id": called.call.id,
        "name": called.call.name,
        "arguments": called.call.arguments,
    }
    for called in CALLS
]
_RESPONSE = {"status": "completed", "output": [_THOUGHT, _TEXT, *_CALLS], "usage": _USAGE}


def _event(kind: str, index: int = 0, **more: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", "output_index": index, **more}


def _stream() -> list[bytes]:
    begun = {"status": "in_progress", "output": [], "usage": None}
    look, wait = _CALLS
    return sse(
        _event("created", response=begun),
        _event("in_progress", response=begun),
        _event("output_item.added", 0, item={**_THOUGHT, "summary": []}),
        _event("reasoning_summary_part.added", 0, summary_index=0),
        _event("reasoning_summary_text.delta", 0, summary_index=0, delta="Hm."),
        _event("output_item.done", 0, item=_THOUGHT),
        _event("output_item.added", 1, item={**_TEXT, "content": []}),
        _event("output_text.delta", 1, content_index=0, delta="Hello, "),
        _event("output_text.delta", 1, content_index=0, delta="世界"),
        _event("output_item.done", 1, item=_TEXT),
        _event("output_item.added", 2, item={**look, "arguments": ""}),
        _event("function_call_arguments.delta", 2, delta='{"at": '),
        _event("output_item.added", 3, item={**wait, "arguments": ""}),
        _event("function_call_arguments.delta", 2, delta='"sky"}'),
        _event("output_item.done", 2, item=look),
        _event("output_item.done", 3, item=wait),
        _event("completed", response=_RESPONSE),
        named=True,
    )


def _error(word: str, status: int) -> dict[str, Any]:
    codes = {
        "context": "context_length_exceeded",
        "quota": "insufficient_quota",
    }
    types = {400: "invalid_request_error", 401: "invalid_request_error", 429: "tokens"}
    return {
        "type": "error",
        "error": {
            "message": f"{SECRET} is long",
            "type": types.get(status, "server_error" if status >= 500 else "invalid_request_error"),
            "param": None,
            "code": codes.get(word),
        },
    }


WIRE = Wire(
    kind="openai_responses",
    stream=_stream(),
    plain=json.dumps(_RESPONSE).encode(),
    unknown=b'event: news\ndata: {"type": "news"}\n\n',
    limit="max_output_tokens",
    errors=_error,
)
