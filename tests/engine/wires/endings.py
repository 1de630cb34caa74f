"""Plain answers of each wire by how they end, and refusals where a wire has words for them."""

from __future__ import annotations

from typing import Any

from providers.engine.events import FinishReason

STOP, LENGTH, FILTER = FinishReason.STOP, FinishReason.LENGTH, FinishReason.CONTENT_FILTER

Ending = tuple[str, FinishReason, dict[str, Any]]


def _chat(reason: str, **message: Any) -> dict[str, Any]:
    said = {"role": "assistant", "content": "Hi", **message}
    return {"choices": [{"message": said, "finish_reason": reason}]}


def _anthropic(reason: str, **more: Any) -> dict[str, Any]:
    content = [{"type": "text", "text": "Hi"}]
    return {"type": "message", "content": content, "stop_reason": reason, **more}


def _gemini(reason: str) -> dict[str, Any]:
    parts = [{"text": "Hi"}]
    return {"candidates": [{"content": {"parts": parts}, "finishReason": reason}]}


def _responses(reason: str | None) -> dict[str, Any]:
    content = [{"type": "output_text", "text": "Hi"}]
    status = {"status": "completed"} if reason is None else {"status": "incomplete"}
    details = {"incomplete_details": reason and {"reason": reason}}
    return {**status, **details, "output": [{"type": "message", "content": content}]}


def _ollama(reason: str) -> dict[str, Any]:
    said = {"role": "assistant", "content": "Hi"}
    return {"message": said, "done": True, "done_reason": reason}


ENDINGS: tuple[Ending, ...] = (
    ("openai_chat", STOP, _chat("stop")),
    ("openai_chat", LENGTH, _chat("length")),
    ("openai_chat", FILTER, _chat("content_filter")),
    ("anthropic_messages", STOP, _anthropic("end_turn")),
    ("anthropic_messages", LENGTH, _anthropic("max_tokens")),
    ("anthropic_messages", FILTER, _anthropic("refusal", stop_details={"category": "bio"})),
    ("gemini", STOP, _gemini("STOP")),
    ("gemini", LENGTH, _gemini("MAX_TOKENS")),
    ("gemini", FILTER, _gemini("SAFETY")),
    ("openai_responses", STOP, _responses(None)),
    ("openai_responses", LENGTH, _responses("max_output_tokens")),
    ("openai_responses", FILTER, _responses("content_filter")),
    ("ollama", STOP, _ollama("stop")),
    ("ollama", LENGTH, _ollama("length")),
)

REFUSALS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("openai_chat", _chat("stop", content=None, refusal="No.")),
    (
        "openai_responses",
        {
            "status": "completed",
            "output": [{"type": "message", "content": [{"type": "refusal", "refusal": "No."}]}],
        },
    ),
)
