"""How the fake provider of `tests/upstream.py` speaks Responses, Gemini and Ollama."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

INPUT_TOKENS = 10

Frames = tuple[list[bytes], list[bytes], list[bytes]]
"""Before the text, one for each of its parts, after it with the terminal one last."""


@dataclass(frozen=True)
class FakeWire:
    """`error` makes a body of a word of the plan and its status."""

    frames: Callable[[list[str], bool], Frames]
    plain: Callable[[list[str]], dict[str, Any]]
    error: Callable[[str, int], dict[str, Any]]
    content_type: str = "text/event-stream"

    def frame(self, fields: dict[str, Any]) -> bytes:
        data = json.dumps(fields)
        if self.content_type != "text/event-stream":
            return f"{data}\n".encode()
        name = f"event: {fields['type']}\n" if "type" in fields else ""
        return f"{name}data: {data}\n\n".encode()


def _responses_frames(parts: list[str], says_usage: bool) -> Frames:
    def event(kind: str, **more: Any) -> bytes:
        return RESPONSES.frame({"type": f"response.{kind}", "output_index": 0, **more})

    begun = {"status": "in_progress", "output": []}
    item = {"type": "message", "role": "assistant", "content": []}
    response = _responses_plain(parts)
    if not says_usage:
        del response["usage"]
    return (
        [event("created", response=begun), event("output_item.added", item=item)],
        [event("output_text.delta", content_index=0, delta=part) for part in parts],
        [event("completed", response=response)],
    )


def _responses_plain(parts: list[str]) -> dict[str, Any]:
    content = [{"type": "output_text", "text": "".join(parts), "annotations": []}]
    return {
        "status": "completed",
        "error": None,
        "output": [{"type": "message", "role": "assistant", "content": content}],
        "usage": {"input_tokens": INPUT_TOKENS, "output_tokens": len(parts)},
    }


def _responses_error(word: str, status: int) -> dict[str, Any]:
    codes = {
        "quota": "insufficient_quota",
        "context": "context_length_exceeded",
        "401": "invalid_api_key",
        "404": "model_not_found",
        "429": "rate_limit_exceeded",
        "error": "server_error",
    }
    kind = "server_error" if status >= 500 else "invalid_request_error"
    error = {"message": _words(word), "type": kind, "param": None, "code": codes.get(word)}
    return {"type": "error", "error": error}


def _gemini_frames(parts: list[str], says_usage: bool) -> Frames:
    ending = _gemini_piece("", finishReason="STOP")
    if says_usage:
        ending["usageMetadata"] = _gemini_usage(parts)
    return [], [GEMINI.frame(_gemini_piece(part)) for part in parts], [GEMINI.frame(ending)]


def _gemini_plain(parts: list[str]) -> dict[str, Any]:
    whole = _gemini_piece("".join(parts), finishReason="STOP")
    return {**whole, "usageMetadata": _gemini_usage(parts)}


def _gemini_piece(text: str, **more: Any) -> dict[str, Any]:
    content = {"role": "model", "parts": [{"text": text}]}
    return {"candidates": [{"content": content, "index": 0, **more}]}


def _gemini_usage(parts: list[str]) -> dict[str, int]:
    return {"promptTokenCount": INPUT_TOKENS, "candidatesTokenCount": len(parts)}


def _gemini_error(word: str, status: int) -> dict[str, Any]:
    statuses = {
        "401": "UNAUTHENTICATED",
        "403": "PERMISSION_DENIED",
        "404": "NOT_FOUND",
        "429": "RESOURCE_EXHAUSTED",
        "quota": "RESOURCE_EXHAUSTED",
        "503": "UNAVAILABLE",
        "529": "UNAVAILABLE",
    }
    words = {
        "quota": "Your prepayment credits are depleted.",
        "context": "The input token count exceeds the maximum number of tokens allowed.",
    }
    usual = "INTERNAL" if status >= 500 else "INVALID_ARGUMENT"
    message = words.get(word, _words(word))
    return {"error": {"code": status, "status": statuses.get(word, usual), "message": message}}


def _ollama_frames(parts: list[str], says_usage: bool) -> Frames:
    ended = _ollama_plain([""] * len(parts))
    if not says_usage:
        del ended["prompt_eval_count"]
    pieces = [OLLAMA.frame({"message": _said(part), "done": False}) for part in parts]
    return [], pieces, [OLLAMA.frame(ended)]


def _ollama_plain(parts: list[str]) -> dict[str, Any]:
    return {
        "message": _said("".join(parts)),
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": INPUT_TOKENS,
        "eval_count": len(parts),
    }


def _said(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def _ollama_error(word: str, status: int) -> dict[str, Any]:
    words = {
        "quota": "you have reached your weekly usage limit",
        "context": "the input length exceeds the context length",
    }
    return {"error": words.get(word, _words(word))}


def _words(word: str) -> str:
    return f"The fake upstream was asked for {word}."


RESPONSES = FakeWire(_responses_frames, _responses_plain, _responses_error)
GEMINI = FakeWire(_gemini_frames, _gemini_plain, _gemini_error)
OLLAMA = FakeWire(_ollama_frames, _ollama_plain, _ollama_error, "application/x-ndjson")
WIRES: Mapping[str, FakeWire] = {
    "openai_responses": RESPONSES,
    "gemini": GEMINI,
    "ollama": OLLAMA,
}
