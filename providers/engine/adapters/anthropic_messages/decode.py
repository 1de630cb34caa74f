"""Messages answers, streamed or plain, become events."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import orjson

from providers.engine.adapters.anthropic_messages.errors import error_in
from providers.engine.call import Attempt
from providers.engine.errors import StreamCut, UpstreamGarbled
from providers.engine.events import (
    Event,
    Finish,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCalled,
    UsageReported,
)
from providers.engine.request import ToolCall
from providers.engine.routes import Deployment
from providers.engine.sse import SSEParser
from providers.engine.upstream import Incoming
from providers.engine.usage import Usage

_REASONS = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "pause_turn": FinishReason.STOP,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "tool_use": FinishReason.TOOL_CALLS,
    "refusal": FinishReason.CONTENT_FILTER,
}

Fields = dict[str, Any]


async def stream_events(
    attempt: Attempt, incoming: Incoming, secret: str | None
) -> AsyncGenerator[Event, None]:
    """Raise StreamCut where the stream closes before `message_stop`, whatever came before."""
    name = attempt.deployment.name
    parser = SSEParser()
    answer = _Answer()
    async for chunk in incoming.body:
        for frame in parser.feed(chunk):
            said = _parsed(frame.data, name)
            kind = said.get("type")
            if kind == "error":
                raise error_in(attempt.deployment, said, incoming, secret)
            for event in answer.end() if kind == "message_stop" else answer.take(said):
                yield event
            if kind == "message_stop":
                return
    raise StreamCut(f"{name} closed the stream before the end of its answer.")


async def plain_events(
    attempt: Attempt, incoming: Incoming, secret: str | None
) -> AsyncGenerator[Event, None]:
    """Read a whole message as a stream would have told it."""
    message = _parsed(await incoming.read(), attempt.deployment.name)
    if message.get("type") == "error":
        raise error_in(attempt.deployment, message, incoming, secret)
    answer = _Answer()
    for index, block in enumerate(_list(message.get("content"))):
        for event in answer.take({
            "type": "content_block_start",
            "index": index,
            "content_block": block,
        }):
            yield event
    for event in answer.take({
        "type": "message_delta",
        "delta": message,
        "usage": message.get("usage"),
    }):
        yield event
    for event in answer.end():
        yield event


def models_in(deployment: Deployment, body: bytes) -> int:
    listed = _parsed(body, deployment.name)
    if "data" not in listed:
        raise UpstreamGarbled(f"{deployment.name} did not answer with a list of models.")
    return len(_list(listed["data"]))


@dataclass(slots=True)
class _ToolUse:
    index: int
    id: str
    name: str
    arguments: list[str] = field(default_factory=list[str])


class _Answer:
    """What has come of one answer. Unknown events, blocks and deltas are passed over."""

    def __init__(self) -> None:
        # By the wire's index, which counts text and thoughts as well; ours counts calls only.
        self._calls: dict[int, _ToolUse] = {}
        self._usage: Fields = {}
        self._reason: str | None = None

    def take(self, said: Fields) -> Iterator[Event]:
        match said.get("type"):
            case "content_block_delta":
                yield from self._take_delta(_index(said), _inner(said, "delta"))
            case "content_block_start":
                yield from self._start_block(_index(said), _inner(said, "content_block"))
            case "message_start":
                yield from self._take_usage(_inner(_inner(said, "message"), "usage"))
            case "message_delta":
                self._reason = _inner(said, "delta").get("stop_reason") or self._reason
                yield from self._take_usage(_inner(said, "usage"))
            case _:
                return

    def end(self) -> Iterator[Event]:
        for call in self._calls.values():
            arguments = "".join(call.arguments) or "{}"
            yield ToolCalled(call.index, ToolCall(call.id, call.name, arguments))
        usual = FinishReason.TOOL_CALLS if self._calls else FinishReason.STOP
        yield Finish(_REASONS.get(self._reason or "", usual))

    def _start_block(self, index: int, block: Fields) -> Iterator[Event]:
        kind = block.get("type")
        if kind == "tool_use":
            call = _ToolUse(len(self._calls), _text(block, "id"), _text(block, "name"))
            self._calls[index] = call
            # A stream sends an empty object here and the real one in fragments.
            given = block.get("input")
            arguments = orjson.dumps(given).decode() if given else ""
            call.arguments.append(arguments)
            yield ToolCallDelta(call.index, arguments, id=call.id, name=call.name)
        elif kind == "text" and block.get("text"):
            yield TextDelta(_text(block, "text"))
        elif kind == "thinking" and block.get("thinking"):
            yield ReasoningDelta(_text(block, "thinking"))

    def _take_delta(self, index: int, delta: Fields) -> Iterator[Event]:
        kind = delta.get("type")
        if kind == "text_delta":
            text = _text(delta, "text")
            if text:
                yield TextDelta(text)
        elif kind == "thinking_delta":
            thought = _text(delta, "thinking")
            if thought:
                yield ReasoningDelta(thought)
        elif kind == "input_json_delta" and index in self._calls:
            call = self._calls[index]
            fragment = _text(delta, "partial_json")
            call.arguments.append(fragment)
            yield ToolCallDelta(call.index, fragment)

    def _take_usage(self, said: Fields) -> Iterator[Event]:
        """Overwrite with what is new: the figures of `message_delta` are cumulative.

        Source: Anthropic, "Streaming Messages": adding them to `message_start` counts twice.
        """
        self._usage.update((name, value) for name, value in said.items() if value is not None)
        if not self._usage:
            return
        read = _count(self._usage, "cache_read_input_tokens")
        written = _count(self._usage, "cache_creation_input_tokens")
        yield UsageReported(
            Usage(
                input_tokens=_count(self._usage, "input_tokens") + read + written,
                output_tokens=_count(self._usage, "output_tokens"),
                cache_read_tokens=read,
                cache_write_tokens=written,
                reasoning_tokens=_count(
                    _inner(self._usage, "output_tokens_details"), "thinking_tokens"
                ),
            )
        )


def _index(said: Fields) -> int:
    return _count(said, "index")


def _count(fields: Fields, name: str) -> int:
    value = fields.get(name)
    return value if isinstance(value, int) else 0


def _text(fields: Fields, name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _inner(fields: Fields, name: str) -> Fields:
    value = fields.get(name)
    return cast("Fields", value) if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _parsed(data: bytes, name: str) -> Fields:
    try:
        parsed: object = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise UpstreamGarbled(f"{name} sent something that is not JSON.") from error
    if not isinstance(parsed, dict):
        raise UpstreamGarbled(f"{name} sent JSON that its wire format does not know.")
    return cast("Fields", parsed)
