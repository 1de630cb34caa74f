from __future__ import annotations

import json
from typing import Any

from tests.engine.adapters.replay import sse
from tests.engine.wires.wire import CALLS, SECRET, Wire


def _stream() -> list[bytes]:
    def delta(**fields: Any) -> dict[str, Any]:
        return {"choices": [{"index": 0, "delta": fields, "finish_reason": None}], "usage": None}

    def call(index: int, arguments: str, **more: Any) -> dict[str, Any]:
        name = {"name": more.pop("name")} if "name" in more else {}
        function = {**name, "arguments": arguments}
        return delta(tool_calls=[{"index": index, "function": function, **more}])

    return sse(
        delta(role="assistant", content=""),
        delta(reasoning_content="Hm."),
        delta(content="Hello, "),
        delta(content="世界"),
        call(0, "", id="call_a", type="function", name="look"),
        call(0, '{"at": '),
        call(1, "{}", id="call_b", type="function", name="wait"),
        call(0, '"sky"}'),
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
        {"choices": [], "usage": _USAGE},
        "[DONE]",
    )


_USAGE = {
    "prompt_tokens": 30,
    "completion_tokens": 12,
    "total_tokens": 42,
    "prompt_tokens_details": {"cached_tokens": 20},
}
_PLAIN = {
    "choices": [
        {
            "finish_reason": "tool_calls",
            "message": {
                "role": "assistant",
                "reasoning_content": "Hm.",
                "content": "Hello, 世界",
                "tool_calls": [
                    {
                        "id": call.call.id,
                        "type": "function",
                        "function": {"name": call.call.name, "arguments": call.call.arguments},
                    }
                    for call in CALLS
                ],
            },
        }
    ],
    "usage": _USAGE,
}


def _error(word: str, status: int) -> dict[str, Any]:
    code = {"context": "context_length_exceeded", "quota": "insufficient_quota"}.get(word)
    return {"error": {"message": f"{SECRET} is long", "type": "t", "param": None, "code": code}}


WIRE = Wire(
    kind="openai_chat",
    stream=_stream(),
    plain=json.dumps(_PLAIN).encode(),
    unknown=b'event: news\ndata: {"object": "news"}\n\n',
    limit="max_tokens",
    errors=_error,
    is_raw=True,
)
