"""`/api/chat` answers, in lines or in one, become events."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator

import orjson

from providers.engine.adapters.ollama.encode import KIND
from providers.engine.adapters.ollama.errors import error_in
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
from providers.engine.json_fields import Fields, count, inner, object_of, objects, parsed, text
from providers.engine.ndjson import LineParser
from providers.engine.request import Reasoning, ToolCall
from providers.engine.routes import Deployment
from providers.engine.upstream import Incoming
from providers.engine.usage import Usage


async def stream_events(
    attempt: Attempt, incoming: Incoming, secret: str | None
) -> AsyncGenerator[Event, None]:
    """Raise StreamCut where the stream closes before a line with `done`."""
    lines = LineParser()
    answer = _Answer(attempt, incoming, secret)
    async for chunk in incoming.body:
        for line in lines.feed(chunk):
            for event in answer.take(line):
                yield event
            if answer.is_done:
                return
    # A last line may lack its end; half a line is a cut, whatever it says.
    last = lines.end()
    if object_of(last.decode(errors="replace")) is not None:
        for event in answer.take(last):
            yield event
    if not answer.is_done:
        name = attempt.deployment.name
        raise StreamCut(f"{name} closed the stream before the end of its answer.")


async def plain_events(
    attempt: Attempt, incoming: Incoming, secret: str | None
) -> AsyncGenerator[Event, None]:
    answer = _Answer(attempt, incoming, secret)
    for event in answer.take(await incoming.read()):
        yield event
    if not answer.is_done:
        raise UpstreamGarbled(f"{attempt.deployment.name} sent an answer without an end.")


def models_in(deployment: Deployment, body: bytes) -> int:
    listed = parsed(body, deployment.name)
    if not isinstance(listed.get("models"), list):
        raise UpstreamGarbled(f"{deployment.name} did not answer with a list of models.")
    return len(objects(listed["models"]))


class _Answer:
    """What has come of one answer. A plain answer is one line."""

    def __init__(self, attempt: Attempt, incoming: Incoming, secret: str | None) -> None:
        self._deployment = attempt.deployment
        self._incoming = incoming
        self._secret = secret
        self._request_id = attempt.call.id
        self._calls: list[ToolCalled] = []
        self._thought = ""
        self.is_done = False

    def take(self, line: bytes) -> Iterator[Event]:
        said = parsed(line, self._deployment.name)
        if said.get("error"):
            raise error_in(self._deployment, said, self._incoming, self._secret)
        message = inner(said, "message")
        thought, words = text(message, "thinking"), text(message, "content")
        if thought:
            self._thought += thought
            yield ReasoningDelta(thought)
        if words:
            yield TextDelta(words)
        for called in objects(message.get("tool_calls")):
            yield self._call(called)
        if said.get("done") is True:
            self.is_done = True
            yield from self._end(said)

    def _call(self, said: Fields) -> ToolCallDelta:
        """Older servers give no id; ours must be the same when the answer is read again."""
        function = inner(said, "function")
        place = len(self._calls)
        id = text(said, "id") or f"call_{self._request_id.hex[-12:]}_{place}"
        written = orjson.dumps(inner(function, "arguments")).decode()
        call = ToolCall(id, text(function, "name"), written)
        self._calls.append(ToolCalled(place, call))
        return ToolCallDelta(place, written, id=id, name=call.name)

    def _end(self, said: Fields) -> Iterator[Event]:
        if self._thought:
            yield ReasoningDelta("", Reasoning(self._thought, wire=KIND))
        yield from self._calls
        usage = _usage(said)
        if usage is not None:
            yield UsageReported(usage)
        usual = FinishReason.TOOL_CALLS if self._calls else FinishReason.STOP
        yield Finish(FinishReason.LENGTH if said.get("done_reason") == "length" else usual)


def _usage(said: Fields) -> Usage | None:
    """None: older servers leave the prompt out where they had it in their cache."""
    if "prompt_eval_count" not in said:
        return None
    return Usage(count(said, "prompt_eval_count"), count(said, "eval_count"))
