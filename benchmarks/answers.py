"""Answers of each wire as bytes: whole, and as a stream of so many pieces of text."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Frame = dict[str, Any]
_WORD = "word "


def _sse(*frames: Frame | str, named: bool = False) -> list[bytes]:
    def one(frame: Frame | str) -> bytes:
        head = f"event: {frame['type']}\n" if named and isinstance(frame, dict) else ""
        return f"{head}data: {frame if isinstance(frame, str) else json.dumps(frame)}\n\n".encode()

    return [one(frame) for frame in frames]


def _chat(pieces: int) -> list[bytes]:
    base = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}

    def chunk(delta: Frame, reason: str | None = None) -> Frame:
        return {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

    usage = {**base, "choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": pieces}}
    return _sse(
        chunk({"role": "assistant", "content": ""}),
        *(chunk({"content": _WORD}) for _ in range(pieces)),
        chunk({}, "stop"),
        usage,
        "[DONE]",
    )


def _anthropic(pieces: int) -> list[bytes]:
    usage = {"input_tokens": 5, "output_tokens": 1}
    delta = {"type": "text_delta", "text": _WORD}
    return _sse(
        {"type": "message_start", "message": {"usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for _ in range(pieces)),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": pieces},
        },
        {"type": "message_stop"},
        named=True,
    )


def _gemini(pieces: int) -> list[bytes]:
    usage = {"promptTokenCount": 5, "candidatesTokenCount": pieces}

    def chunk(**more: Any) -> Frame:
        return {
            "candidates": [{"content": {"parts": [{"text": _WORD}]}, **more}],
            "usageMetadata": usage,
        }

    return _sse(*(chunk() for _ in range(pieces - 1)), chunk(finishReason="STOP"))


def _responses(pieces: int) -> list[bytes]:
    delta = {
        "type": "response.output_text.delta",
        "output_index": 0,
        "content_index": 0,
        "delta": _WORD,
    }
    done = {"type": "response.completed", "response": _responses_plain(pieces)}
    return _sse({"type": "response.created"}, *(delta for _ in range(pieces)), done, named=True)


def _responses_plain(pieces: int) -> Frame:
    content = [{"type": "output_text", "text": _WORD * pieces}]
    usage = {"input_tokens": 5, "output_tokens": pieces}
    return {
        "status": "completed",
        "output": [{"type": "message", "content": content}],
        "usage": usage,
    }


def _ollama(pieces: int) -> list[bytes]:
    lines: list[Frame] = [{"message": {"content": _WORD}, "done": False} for _ in range(pieces)]
    lines.append({
        "message": {"content": ""},
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": 5,
        "eval_count": pieces,
    })
    return [json.dumps(line).encode() + b"\n" for line in lines]


STREAMS: Mapping[str, Callable[[int], Sequence[bytes]]] = {
    "openai_chat": _chat,
    "anthropic_messages": _anthropic,
    "gemini": _gemini,
    "openai_responses": _responses,
    "ollama": _ollama,
}
"""By kind: the pieces that a server sends, one a piece of text and a few around them."""

_TEXT = _WORD * 20
PLAIN: Mapping[str, Frame] = {
    "openai_chat": {
        "choices": [{"message": {"role": "assistant", "content": _TEXT}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 20},
    },
    "anthropic_messages": {
        "type": "message",
        "content": [{"type": "text", "text": _TEXT}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 5, "output_tokens": 20},
    },
    "gemini": {
        "candidates": [{"content": {"parts": [{"text": _TEXT}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 20},
    },
    "openai_responses": _responses_plain(20),
    "ollama": {
        "message": {"role": "assistant", "content": _TEXT},
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": 5,
        "eval_count": 20,
    },
}
