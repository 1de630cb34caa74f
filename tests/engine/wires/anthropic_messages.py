from __future__ import annotations

import json
from typing import Any

from tests.engine.adapters.replay import sse
from tests.engine.wires.wire import SECRET, Wire


def _stream() -> list[bytes]:
    def start(index: int, **block: Any) -> dict[str, Any]:
        return {"type": "content_block_start", "index": index, "content_block": block}

    def delta(index: int, **delta: Any) -> dict[str, Any]:
        return {"type": "content_block_delta", "index": index, "delta": delta}

    began = {"input_tokens": 10, "cache_read_input_tokens": 20, "output_tokens": 1}
    return sse(
        {"type": "message_start", "message": {"content": [], "usage": began}},
        {"type": "ping"},
        start(0, type="thinking", thinking=""),
        delta(0, type="thinking_delta", thinking="Hm."),
        delta(0, type="signature_delta", signature="abc"),
        {"type": "content_block_stop", "index": 0},
        start(1, type="text", text=""),
        delta(1, type="text_delta", text="Hello, "),
        delta(1, type="text_delta", text="世界"),
        {"type": "content_block_stop", "index": 1},
        start(2, type="tool_use", id="call_a", name="look", input={}),
        delta(2, type="input_json_delta", partial_json=""),
        delta(2, type="input_json_delta", partial_json='{"at": '),
        delta(2, type="input_json_delta", partial_json='"sky"}'),
        {"type": "content_block_stop", "index": 2},
        start(3, type="tool_use", id="call_b", name="wait", input={}),
        {"type": "content_block_stop", "index": 3},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use"},
            "usage": {"output_tokens": 12},
        },
        {"type": "message_stop"},
        named=True,
    )


_PLAIN = {
    "type": "message",
    "content": [
        {"type": "thinking", "thinking": "Hm.", "signature": "abc"},
        {"type": "text", "text": "Hello, 世界"},
        {"type": "tool_use", "id": "call_a", "name": "look", "input": {"at": "sky"}},
        {"type": "tool_use", "id": "call_b", "name": "wait", "input": {}},
    ],
    "stop_reason": "tool_use",
    "usage": {"input_tokens": 10, "cache_read_input_tokens": 20, "output_tokens": 12},
}


def _error(word: str, status: int) -> dict[str, Any]:
    kinds = {
        401: "authentication_error",
        403: "permission_error",
        404: "not_found_error",
        408: "timeout_error",
        413: "request_too_large",
        429: "rate_limit_error",
        500: "api_error",
        503: "api_error",
        529: "overloaded_error",
    }
    words = {
        "context": "prompt is too long: 9 tokens > 8 maximum",
        "quota": "Your credit balance is too low to access the Anthropic API.",
    }
    message = words.get(word, f"{SECRET} is long")
    kind = kinds.get(status, "invalid_request_error")
    return {"type": "error", "error": {"type": kind, "message": message}}


WIRE = Wire(
    kind="anthropic_messages",
    stream=_stream(),
    plain=json.dumps(_PLAIN).encode(),
    unknown=b'event: news\ndata: {"type": "news"}\n\n',
    limit="max_tokens",
    errors=_error,
    is_raw=True,
)
