"""Messages answers, streamed or plain, become events."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from typing import cast

from providers.engine.adapters.anthropic_messages.blocks import Blocks
from providers.engine.adapters.anthropic_messages.errors import error_in
from providers.engine.adapters.anthropic_messages.usage import Counts
from providers.engine.call import Attempt
from providers.engine.errors import StreamCut, UpstreamGarbled
from providers.engine.events import Event, Finish, FinishReason, Safety, UsageReported
from providers.engine.json_fields import Fields, count, inner, objects, parsed, text
from providers.engine.routes import Deployment
from providers.engine.sse import SSEParser
from providers.engine.upstream import Incoming

# `pause_turn`: a server's tool takes longer; sent back as it is, the answer goes on.
_REASONS = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "pause_turn": FinishReason.STOP,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "tool_use": FinishReason.TOOL_CALLS,
    "refusal": FinishReason.CONTENT_FILTER,
}


async def stream_events(
    attempt: Attempt, incoming: Incoming, secret: str | None
) -> AsyncGenerator[Event, None]:
    """Raise StreamCut where the stream closes before `message_stop`, whatever came before."""
    name = attempt.deployment.name
    parser = SSEParser()
    answer = _Answer()
    async for chunk in incoming.body:
        for frame in parser.feed(chunk):
            said = parsed(frame.data, name)
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
    message = parsed(await incoming.read(), attempt.deployment.name)
    if message.get("type") == "error":
        raise error_in(attempt.deployment, message, incoming, secret)
    answer = _Answer()
    for said in _told(message):
        for event in answer.take(said):
            yield event
    for event in answer.end():
        yield event


def models_in(deployment: Deployment, body: bytes) -> int:
    listed = parsed(body, deployment.name).get("data")
    if not isinstance(listed, list):
        raise UpstreamGarbled(f"{deployment.name} did not answer with a list of models.")
    return len(cast("list[object]", listed))


def _told(message: Fields) -> Iterator[Fields]:
    for index, block in enumerate(objects(message.get("content"))):
        yield {"type": "content_block_start", "index": index, "content_block": block}
        yield {"type": "content_block_stop", "index": index}
    yield {"type": "message_delta", "delta": message, "usage": message.get("usage")}


class _Answer:
    """What has come of one answer. Unknown events are passed over."""

    def __init__(self) -> None:
        self._blocks = Blocks()
        self._counts = Counts()
        self._reason: str | None = None

    def take(self, said: Fields) -> Iterator[Event]:
        match said.get("type"):
            case "content_block_delta":
                yield from self._blocks.grow(count(said, "index"), inner(said, "delta"))
            case "content_block_start":
                yield from self._blocks.start(count(said, "index"), inner(said, "content_block"))
            case "content_block_stop":
                yield from self._blocks.stop(count(said, "index"))
            case "message_start":
                yield from self._count(inner(inner(said, "message"), "usage"))
            case "message_delta":
                yield from self._end_of(inner(said, "delta"))
                yield from self._count(inner(said, "usage"))
            case _:
                return

    def end(self) -> Iterator[Event]:
        yield from self._blocks.end()
        usual = FinishReason.TOOL_CALLS if self._blocks.has_calls else FinishReason.STOP
        yield Finish(_REASONS.get(self._reason or "", usual))

    def _count(self, said: Fields) -> Iterator[Event]:
        usage = self._counts.take(said)
        if usage is not None:
            yield UsageReported(usage)

    def _end_of(self, delta: Fields) -> Iterator[Event]:
        """Keep the reason; a refusal tells by what policy. Source: Anthropic, "Stop reasons"."""
        self._reason = text(delta, "stop_reason") or self._reason
        details = inner(delta, "stop_details")
        if self._reason == "refusal" and details:
            words = text(details, "explanation") or "The provider's policy ended the answer."
            yield Safety(text(details, "category") or "refusal", words, is_blocked=True)
