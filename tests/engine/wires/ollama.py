from __future__ import annotations

import json
from typing import Any

from tests.engine.wires.wire import SECRET, Wire

_LOOK = {"id": "call_a", "function": {"name": "look", "arguments": {"at": "sky"}}}
_WAIT = {"id": "call_b", "function": {"name": "wait", "arguments": {}}}
_END = {"done": True, "done_reason": "stop", "prompt_eval_count": 30, "eval_count": 12}


def _line(**message: Any) -> dict[str, Any]:
    return {"model": "m", "message": {"role": "assistant", "content": "", **message}, "done": False}


def _error(word: str, status: int) -> dict[str, Any]:
    words = {
        "context": "the input length exceeds the context length",
        "quota": "you have reached your weekly usage limit",
    }
    return {"error": words.get(word, f"{SECRET} is long")}


WIRE = Wire(
    kind="ollama",
    stream=[
        f"{json.dumps(line)}\n".encode()
        for line in (
            _line(thinking="Hm."),
            _line(content="Hello, "),
            _line(content="世界"),
            _line(tool_calls=[_LOOK]),
            _line(tool_calls=[_WAIT]),
            {**_line(), **_END},
        )
    ],
    plain=json.dumps({
        **_line(thinking="Hm.", content="Hello, 世界", tool_calls=[_LOOK, _WAIT]),
        **_END,
    }).encode(),
    unknown=b'{"news": 1}\n',
    limit="options.num_predict",
    errors=_error,
    is_lines=True,
    caches=False,
)
