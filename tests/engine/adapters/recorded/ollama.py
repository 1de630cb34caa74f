"""Bodies of Ollama's `/api/chat`."""

from __future__ import annotations

import json
from typing import Any

from tests.engine.adapters.recorded.said import Called, Counts, Said


def expected(recording: dict[str, Any]) -> Said:
    lines = [json.loads(line) for line in recording["response"]["body"].splitlines() if line]
    messages = [line["message"] for line in lines]
    last = lines[-1]
    called = [call["function"] for each in messages for call in each.get("tool_calls", [])]
    counts = (last.get("prompt_eval_count"), last["eval_count"])
    return Said(
        text="".join(each["content"] for each in messages),
        reasoning="".join(each.get("thinking", "") for each in messages),
        calls=tuple(Called("", call["name"], call["arguments"]) for call in called),
        finish="tool_calls" if called else last["done_reason"],
        usage=None if counts[0] is None else Counts(*counts),
    )
