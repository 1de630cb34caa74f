"""Chat Completions answers, streamed or plain, become events."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from typing import Any, cast

import orjson

from providers.engine.adapters.openai_chat.errors import error_in
from providers.engine.adapters.openai_chat.tool_calls import ToolCalls
from providers.engine.call import Attempt
from providers.engine.errors import StreamCut, UpstreamGarbled, UpstreamUnavailable
from providers.engine.events import (
    Event,
    Finish,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    UsageReported,
)
from providers.engine.routes import Deployment
from providers.engine.sse import ServerEvent, SSEParser
from providers.engine.upstream import Incoming
from providers.engine.usage import Usage

_DONE = b"[DONE]"
_REASONS = {
    "stop": FinishReason.STOP,
    "eos": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "model_length": FinishReason.LENGTH,
    "tool_calls": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
    "content_filter": FinishReason.CONTENT_FILTER,
}

Fields = dict[str, Any]


async def stream_events(
    attempt: Attempt, incoming: Incoming, secret: str | None
) -> AsyncGenerator[Event, None]:
    """Raise StreamCut where the stream closes before `[DONE]`, whatever came before."""
    name = attempt.deployment.name
    parser = SSEParser()
    answer = _Answer(attempt, incoming, secret)
    async for chunk in incoming.body:
        for frame in parser.feed(chunk):
            is_last = frame.data == _DONE
            for event in answer.end() if is_last else answer.take(frame):
                yield event
            if is_last:
                return
    last = parser.end()
    if last is None or last.data != _DONE:
        raise StreamCut(f"{name} closed the stream before the end of its answer.")
    for event in answer.end():
        yield event


async def plain_events(
    attempt: Attempt, incoming: Incoming, secret: str | None
) -> AsyncGenerator[Event, None]:
    answer = _Answer(attempt, incoming, secret)
    for event in answer.take(ServerEvent("", await incoming.read())):
        yield event
    for event in answer.end():
        yield event


def models_in(deployment: Deployment, body: bytes) -> int:
    listed = _parsed(body, deployment.name)
    models = listed.get("data", listed.get("models"))
    if not isinstance(models, list):
        raise UpstreamGarbled(f"{deployment.name} did not answer with a list of models.")
    return len(cast("list[object]", models))


class _Answer:
    """What has come of one answer. A plain answer is read as a stream of one piece."""

    def __init__(self, attempt: Attempt, incoming: Incoming, secret: str | None) -> None:
        self._deployment = attempt.deployment
        self._incoming = incoming
        self._secret = secret
        self._calls = ToolCalls(attempt.call.id)
        self._reason: str | None = None

    def take(self, frame: ServerEvent) -> list[Event]:
        piece = _parsed(frame.data, self._deployment.name)
        if piece.get("error") or frame.name == "error":
            raise error_in(self._deployment, piece, self._incoming, self._secret)
        found: list[Event] = []
        for choice in _objects(piece.get("choices")):
            self._take_choice(choice, found)
        usage = _usage(piece)
        if usage is not None:
            found.append(UsageReported(usage))
        return found

    def end(self) -> list[Event]:
        if self._reason == "error":
            raise UpstreamUnavailable(f"{self._deployment.name} failed while it answered.")
        usual = FinishReason.TOOL_CALLS if self._calls else FinishReason.STOP
        return [*self._calls.whole(), Finish(_REASONS.get(self._reason or "", usual))]

    def _take_choice(self, choice: Fields, found: list[Event]) -> None:
        said = choice.get("delta") or choice.get("message")
        if isinstance(said, dict):
            self._take_delta(cast("Fields", said), found)
        reason = choice.get("finish_reason")
        if isinstance(reason, str):
            self._reason = reason

    def _take_delta(self, delta: Fields, found: list[Event]) -> None:
        # DeepSeek and vLLM use the longer name, Groq, OpenRouter and Cerebras the shorter.
        reasoning = delta.get("reasoning_content") or delta.get("reasoning")
        if reasoning and isinstance(reasoning, str):
            found.append(ReasoningDelta(reasoning))
        for content in (delta.get("content"), delta.get("refusal")):
            if not content:
                continue
            if isinstance(content, str):
                found.append(TextDelta(content))
            else:
                found.extend(_parts(content))
        found.extend(map(self._calls.take, _objects(delta.get("tool_calls"))))


def _parts(content: object) -> Iterator[Event]:
    """Read Mistral's list of parts, in which a thought is itself a list of texts."""
    for part in _objects(content):
        text = part.get("text")
        if text and isinstance(text, str):
            yield TextDelta(text)
        for thought in _objects(part.get("thinking")):
            if thought.get("text"):
                yield ReasoningDelta(str(thought["text"]))


def _usage(piece: Fields) -> Usage | None:
    """Read usage wherever it stands; each later figure replaces the one before."""
    said = piece.get("usage")
    if not isinstance(said, dict):
        inner = piece.get("x_groq")
        said = cast("Fields", inner).get("usage") if isinstance(inner, dict) else None
    if not isinstance(said, dict):
        return None
    fields = cast("Fields", said)
    prompt = _count(fields, "prompt_tokens")
    output = _count(fields, "completion_tokens")
    # xAI and Gemini count reasoning into the total only.
    output = max(output, _count(fields, "total_tokens") - prompt)
    details = _inner(fields, "prompt_tokens_details")
    cached = _count(details, "cached_tokens") or _count(fields, "prompt_cache_hit_tokens")
    return Usage(
        input_tokens=prompt,
        output_tokens=output,
        cache_read_tokens=cached,
        cache_write_tokens=_count(details, "cache_write_tokens"),
        reasoning_tokens=_count(_inner(fields, "completion_tokens_details"), "reasoning_tokens"),
    )


def _count(fields: Fields, name: str) -> int:
    value = fields.get(name)
    return value if isinstance(value, int) else 0


def _inner(fields: Fields, name: str) -> Fields:
    value = fields.get(name)
    return cast("Fields", value) if isinstance(value, dict) else {}


def _objects(value: object) -> list[Fields]:
    """Take the objects out of what should be a list of them."""
    if not value or not isinstance(value, list):
        return []
    return [cast("Fields", each) for each in cast("list[object]", value) if isinstance(each, dict)]


def _parsed(data: bytes, name: str) -> Fields:
    try:
        parsed: object = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise UpstreamGarbled(f"{name} sent something that is not JSON.") from error
    if not isinstance(parsed, dict):
        raise UpstreamGarbled(f"{name} sent JSON that its wire format does not know.")
    return cast("Fields", parsed)
