"""Responses bodies of OpenAI and DeepSeek: the finished items tell all, streamed or not."""

from __future__ import annotations

import json
from typing import Any

from tests.engine.adapters.recorded.said import Called, Counts, Said, frames

_ERRORS = {
    "decimal_below_min_value": "UpstreamRejected",
    "model_not_found": "UpstreamMisconfigured",
}


def expected(recording: dict[str, Any]) -> Said:
    body = recording["response"]["body"]
    if not recording["stream"]:
        response = json.loads(body)
        if response.get("error"):
            return Said(error=_ERRORS[response["error"]["code"]])
        return _said(response, response["output"])
    events = frames(body)
    items = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    return _said(events[-1]["response"], items)


def _said(response: dict[str, Any], items: list[dict[str, Any]]) -> Said:
    assert response["status"] == "completed"
    texts = [part for item in items if item["type"] == "message" for part in item["content"]]
    calls = [item for item in items if item["type"] == "function_call"]
    return Said(
        text="".join(part.get("text", "") for part in texts),
        reasoning="".join(_thought(item) for item in items if item["type"] == "reasoning"),
        refusal="".join(part.get("refusal", "") for part in texts),
        calls=tuple(Called.of(c["call_id"], c["name"], c["arguments"]) for c in calls),
        finish="tool_calls" if calls else "stop",
        usage=_usage(response["usage"]),
    )


def _thought(item: dict[str, Any]) -> str:
    return "\n\n".join(part["text"] for part in item["summary"] or item.get("content") or [])


def _usage(usage: dict[str, Any]) -> Counts:
    before, after = usage["input_tokens_details"], usage["output_tokens_details"]
    return Counts(
        usage["input_tokens"],
        usage["output_tokens"],
        before["cached_tokens"],
        before.get("cache_write_tokens", 0),
        after["reasoning_tokens"],
    )
