"""The engine's events as chat completion chunks, or gathered into one body.

Source: OpenAI, API reference, "The chat completion chunk object" and "... object"; openai-python
lib/streaming for what its clients need (contiguous tool indices, an id that does not change).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from providers.engine.events import (
    Citation,
    Citations,
    Event,
    Finish,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCalled,
)
from providers.engine.request import CompletionRequest, ToolCall
from providers.engine.usage import Usage, dollars

DONE = b"data: [DONE]\n\n"


def usage_body(usage: Usage, cost_nano: int | None) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read_tokens,
            "audio_tokens": usage.input_audio_tokens,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": usage.output_audio_tokens,
        },
        "cost_usd": dollars(cost_nano),
    }


def sse(value: object) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"


class Chunks:
    """Chunks of one stream: the same id, created and model in each.

    Text, by far the most frequent, is put between two halves that are made once.
    """

    def __init__(self, request: CompletionRequest, created: int, *, include_usage: bool) -> None:
        self._head: dict[str, Any] = {
            "id": f"chatcmpl-{request.id.hex}",
            "object": "chat.completion.chunk",
            "created": created,
            "model": request.route,
        }
        self._tail = {"usage": None} if include_usage else {}
        self._tool_calls: set[int] = set()
        whole = self._delta({"content": "\0"})
        self._before_text, self._after_text = whole.split(orjson.dumps("\0"))

    def first(self) -> bytes:
        return self._delta({"role": "assistant", "content": ""})

    def of(self, event: Event) -> bytes:
        """Write the event's chunk; empty for what this wire does not carry."""
        match event:
            case TextDelta(text, is_refusal=False):
                return self._before_text + orjson.dumps(text) + self._after_text
            case Finish(reason):
                return self._delta({}, reason)
            case ToolCallDelta() | ToolCalled():
                return self._tool(event)
        said = _said(event)
        return self._delta(said) if said else b""

    def usage(self, usage: Usage, cost_nano: int | None) -> bytes:
        return sse({**self._head, "choices": [], "usage": usage_body(usage, cost_nano)})

    def _delta(self, delta: dict[str, Any], finish: FinishReason | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return sse({**self._head, "choices": [choice], **self._tail})

    def _fragment(self, event: ToolCallDelta) -> bytes:
        fragment: dict[str, Any] = {"index": event.index}
        function: dict[str, Any] = {"arguments": event.arguments}
        if event.index not in self._tool_calls:
            self._tool_calls.add(event.index)
            fragment |= {"id": event.id, "type": "function"}
            function = {"name": event.name, **function}
        return self._delta({"tool_calls": [{**fragment, "function": function}]})

    def _tool(self, event: ToolCallDelta | ToolCalled) -> bytes:
        return self._fragment(event) if isinstance(event, ToolCallDelta) else self._whole(event)

    def _whole(self, event: ToolCalled) -> bytes:
        """Send what came without fragments, and the seal, which only the whole call has."""
        call = event.call
        is_known = event.index in self._tool_calls
        whole = ToolCallDelta(event.index, call.arguments, call.id, call.name)
        sent = b"" if is_known else self._fragment(whole)
        if call.signature is None:
            return sent
        rest = {"index": event.index, "function": {"arguments": ""}, **_sealed(call)}
        return sent + self._delta({"tool_calls": [rest]})


@dataclass(slots=True)
class Gathered:
    """A whole answer, event by event."""

    text: list[str] = field(default_factory=list)
    refusal: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    tool_calls: dict[int, ToolCall] = field(default_factory=dict)
    citations: list[Citation] = field(default_factory=list)
    reason: FinishReason = FinishReason.STOP

    def add(self, event: Event) -> None:
        if isinstance(event, TextDelta):
            (self.refusal if event.is_refusal else self.text).append(event.text)
        elif isinstance(event, ReasoningDelta):
            self.reasoning.append(event.text)
        elif isinstance(event, ToolCalled):
            self.tool_calls[event.index] = event.call
        elif isinstance(event, Citations):
            self.citations += event.items
        elif isinstance(event, Finish):
            self.reason = event.reason

    def body(self, request: CompletionRequest, created: int) -> dict[str, Any]:
        choice = {"index": 0, "message": self._message(), "finish_reason": self.reason}
        return {
            "id": f"chatcmpl-{request.id.hex}",
            "object": "chat.completion",
            "created": created,
            "model": request.route,
            "choices": [{**choice, "logprobs": None}],
        }

    def _message(self) -> dict[str, Any]:
        is_elsewhere = bool(self.tool_calls or self.refusal)
        message: dict[str, Any] = {
            "role": "assistant",
            "content": "".join(self.text) if self.text or not is_elsewhere else None,
            "refusal": "".join(self.refusal) or None,
        }
        if self.citations:
            message["annotations"] = [_annotation(item) for item in self.citations]
        if self.reasoning:
            message["reasoning_content"] = "".join(self.reasoning)
        if self.tool_calls:
            message["tool_calls"] = [
                _tool_call(call) for _, call in sorted(self.tool_calls.items())
            ]
        return message


def _said(event: Event) -> dict[str, Any]:
    match event:
        case TextDelta(text):
            return {"refusal": text}
        case ReasoningDelta(text) if text:
            return {"reasoning_content": text}
        case Citations(items):
            return {"annotations": [_annotation(item) for item in items]}
        case _:
            return {}


def _tool_call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function, **_sealed(call)}


def _sealed(call: ToolCall) -> dict[str, Any]:
    """Put Gemini's seal where Google's own compatible endpoint has it; a client sends it back."""
    if call.signature is None:
        return {}
    return {"extra_content": {"google": {"thought_signature": call.signature}}}


def _annotation(citation: Citation) -> dict[str, Any]:
    """Source: OpenAI, API reference, `annotations` of a message."""
    said = {
        "url": citation.url,
        "title": citation.title,
        "start_index": citation.start,
        "end_index": citation.end,
    }
    known = {name: value for name, value in said.items() if value is not None}
    return {"type": "url_citation", "url_citation": known}
