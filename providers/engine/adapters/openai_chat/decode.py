"""Chat Completions answers, streamed or plain, become events."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from typing import cast

from providers.engine.adapters.openai_chat.errors import error_in
from providers.engine.adapters.openai_chat.sources import annotated, listed, verdicts
from providers.engine.adapters.openai_chat.thoughts import Thoughts
from providers.engine.adapters.openai_chat.tool_calls import ToolCalls
from providers.engine.adapters.openai_chat.usage import usage_in
from providers.engine.call import Attempt
from providers.engine.errors import (
    StreamCut,
    UpstreamGarbled,
    UpstreamOverloaded,
    UpstreamUnavailable,
)
from providers.engine.events import (
    Citation,
    Citations,
    Event,
    Finish,
    FinishReason,
    TextDelta,
    UsageReported,
)
from providers.engine.json_fields import Fields, objects, parsed
from providers.engine.routes import Deployment
from providers.engine.sse import ServerEvent, SSEParser
from providers.engine.upstream import Incoming

_DONE = b"[DONE]"
_REASONS = {
    "stop": FinishReason.STOP,
    "eos": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "model_length": FinishReason.LENGTH,
    "tool_calls": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
    "content_filter": FinishReason.CONTENT_FILTER,
    # Words of the makers' own wires, which some gateways pass through.
    "end_turn": FinishReason.STOP,
    "max_tokens": FinishReason.LENGTH,
    "tool_use": FinishReason.TOOL_CALLS,
    "refusal": FinishReason.CONTENT_FILTER,
}
# Mistral and OpenRouter say `error`, vLLM `abort`, DeepSeek that it ran out of machines.
_FAILURES = {
    "error": UpstreamUnavailable,
    "abort": UpstreamUnavailable,
    "insufficient_system_resource": UpstreamOverloaded,
}


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
    listed = parsed(body, deployment.name)
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
        self._thoughts = Thoughts()
        self._listed: tuple[Citation, ...] = ()
        self._reason: str | None = None

    def take(self, frame: ServerEvent) -> list[Event]:
        piece = parsed(frame.data, self._deployment.name)
        if piece.get("error") or frame.name == "error":
            raise error_in(self._deployment, piece, self._incoming, self._secret)
        found: list[Event] = []
        for choice in objects(piece.get("choices")):
            self._take_choice(choice, found)
        if "prompt_filter_results" in piece:
            for prompt in objects(piece["prompt_filter_results"]):
                found.extend(verdicts(prompt))
        if "citations" in piece or "search_results" in piece:
            self._listed = listed(piece) or self._listed
        usage = usage_in(piece)
        if usage is not None:
            found.append(UsageReported(usage))
        return found

    def end(self) -> list[Event]:
        failure = _FAILURES.get(self._reason or "")
        if failure is not None:
            raise failure(f"{self._deployment.name} failed while it answered.")
        cited = [Citations(self._listed)] if self._listed else []
        usual = FinishReason.TOOL_CALLS if self._calls else FinishReason.STOP
        finish = Finish(_REASONS.get(self._reason or "", usual))
        return [*self._thoughts.whole(), *self._calls.whole(), *cited, finish]

    def _take_choice(self, choice: Fields, found: list[Event]) -> None:
        said = choice.get("delta") or choice.get("message")
        if isinstance(said, dict):
            self._take_delta(cast("Fields", said), found)
        if "content_filter_results" in choice:
            found.extend(verdicts(choice))
        reason = choice.get("finish_reason")
        if isinstance(reason, str):
            self._reason = reason

    def _take_delta(self, delta: Fields, found: list[Event]) -> None:
        # DeepSeek and vLLM use the longer name, Groq, OpenRouter and Cerebras the shorter.
        reasoning = delta.get("reasoning_content") or delta.get("reasoning")
        if reasoning and isinstance(reasoning, str):
            found.append(self._thoughts.take(reasoning))
        if "reasoning_details" in delta:
            self._thoughts.take_details(delta["reasoning_details"])
        content = delta.get("content")
        if content:
            if isinstance(content, str):
                found.append(TextDelta(content))
            else:
                found.extend(self._parts(content))
        refusal = delta.get("refusal")
        if refusal and isinstance(refusal, str):
            found.append(TextDelta(refusal, is_refusal=True))
        if "tool_calls" in delta:
            found.extend(map(self._calls.take, objects(delta["tool_calls"])))
        if "annotations" in delta:
            found.extend(annotated(delta))

    def _parts(self, content: object) -> Iterator[Event]:
        """Read Mistral's list of parts, in which a thought is itself a list of texts."""
        for part in objects(content):
            text = part.get("text")
            if text and isinstance(text, str):
                yield TextDelta(text)
            for thought in objects(part.get("thinking")):
                if thought.get("text"):
                    yield self._thoughts.take(str(thought["text"]))
