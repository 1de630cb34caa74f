"""`generateContent` bodies of Google."""

from __future__ import annotations

import json
from typing import Any

from tests.engine.adapters.recorded.said import Called, Counts, Said, frames

_ENDS = {"STOP": "stop", "MAX_TOKENS": "length", "SAFETY": "content_filter"}


def expected(recording: dict[str, Any]) -> Said:
    body = recording["response"]["body"]
    pieces = frames(body) if recording["stream"] else [json.loads(body)]
    candidates = [candidate for piece in pieces for candidate in piece["candidates"]]
    parts = [part for each in candidates for part in each["content"].get("parts", [])]
    called = [part["functionCall"] for part in parts if "functionCall" in part]
    reasons = [each["finishReason"] for each in candidates if "finishReason" in each]
    return Said(
        text="".join(part.get("text", "") for part in parts if not part.get("thought")),
        reasoning="".join(part["text"] for part in parts if part.get("thought")),
        calls=tuple(
            Called(call.get("id", ""), call["name"], call.get("args", {})) for call in called
        ),
        finish="tool_calls" if called else _ENDS[reasons[-1]],
        usage=_usage(pieces[-1]["usageMetadata"]),
    )


def _usage(usage: dict[str, Any]) -> Counts:
    # What is neither prompt nor read by a tool was written, thoughts included.
    sent = usage["promptTokenCount"] + usage.get("toolUsePromptTokenCount", 0)
    return Counts(
        input=sent,
        output=usage["totalTokenCount"] - sent,
        cache_read=usage.get("cachedContentTokenCount", 0),
        reasoning=usage.get("thoughtsTokenCount", 0),
    )
