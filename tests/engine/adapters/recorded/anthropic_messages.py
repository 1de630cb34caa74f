"""Messages bodies of Anthropic."""

from __future__ import annotations

import json
from typing import Any

from tests.engine.adapters.recorded.said import Called, Counts, Said, frames

_ENDS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def expected(recording: dict[str, Any]) -> Said:
    body = recording["response"]["body"]
    message = _joined(frames(body)) if recording["stream"] else json.loads(body)
    blocks = message["content"]
    return Said(
        text="".join(block.get("text", "") for block in blocks if block["type"] == "text"),
        reasoning="".join(block.get("thinking", "") for block in blocks),
        calls=tuple(
            Called.of(
                block["id"], block["name"], block.get("partial") or json.dumps(block["input"])
            )
            for block in blocks
            if block["type"] == "tool_use"
        ),
        finish=_ENDS[message["stop_reason"]],
        usage=_usage(message["usage"]),
    )


def _joined(events: list[dict[str, Any]]) -> dict[str, Any]:
    """Make the message that a plain answer would have been."""
    message: dict[str, Any] = {"usage": {}}
    blocks: dict[int, dict[str, Any]] = {}
    for event in events:
        match event["type"]:
            case "message_start":
                message["usage"] |= event["message"]["usage"]
            case "content_block_start":
                blocks[event["index"]] = dict(event["content_block"])
            case "content_block_delta":
                block, delta = blocks[event["index"]], event["delta"]
                for name, into in (("text", "text"), ("thinking", "thinking")):
                    if name in delta:
                        block[into] = block.get(into, "") + delta[name]
                block["partial"] = block.get("partial", "") + delta.get("partial_json", "")
            case "message_delta":
                message["stop_reason"] = event["delta"]["stop_reason"]
                message["usage"] |= event["usage"]
    return {**message, "content": [blocks[index] for index in sorted(blocks)]}


def _usage(usage: dict[str, Any]) -> Counts:
    read = usage.get("cache_read_input_tokens") or 0
    written = usage.get("cache_creation_input_tokens") or 0
    thought = (usage.get("output_tokens_details") or {}).get("thinking_tokens") or 0
    sent = usage["input_tokens"] + read + written
    return Counts(sent, usage["output_tokens"], read, written, thought)
