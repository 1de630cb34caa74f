"""`gai.events.v1`: the events of an answer as records that programs read, in SSE or in NDJSON.

Every record has `schema`, `type`, `seq` (from 1, without gaps), `ts`, `request_id`, `trace_id` and
`step` (the model step it belongs to, from 1); the rest is the type's own. Exactly one record is
terminal, `finish` or `error`, and it is the last. Dollars are decimal strings with nine places.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import asdict
from datetime import UTC
from functools import singledispatch
from typing import Any
from uuid import UUID

import orjson

from providers.engine.codes import shown
from providers.engine.errors import EngineError, StreamCut
from providers.engine.events import (
    Citations,
    Event,
    Finish,
    Notice,
    ReasoningDelta,
    Safety,
    Start,
    StepEnded,
    TextDelta,
    ToolCallDelta,
    ToolCalled,
    ToolResulted,
    UsageReported,
)
from providers.engine.ports import UtcNow
from providers.engine.request import ToolCall, ToolResult
from providers.engine.usage import Usage, dollars

SCHEMA = "gai.events.v1"
NAMES: Mapping[type[Event], str] = {
    Start: "start",
    TextDelta: "text.delta",
    ReasoningDelta: "reasoning.delta",
    ToolCallDelta: "tool.call.delta",
    ToolCalled: "tool.call",
    ToolResulted: "tool.result",
    Citations: "citations",
    Safety: "safety",
    StepEnded: "step.end",
    Notice: "notice",
    UsageReported: "usage",
    Finish: "finish",
}
ERROR = "error"
TERMINAL = frozenset({NAMES[Finish], ERROR})
# What is about the whole answer, and so opens no step of its own.
_OF_THE_WHOLE = (UsageReported, Finish)

Record = dict[str, Any]


class Scribe:
    """Numbers the records of one answer. `trace_id` empty: the request's id in hex."""

    def __init__(self, request_id: UUID, utcnow: UtcNow, trace_id: str = "") -> None:
        self._request_id = str(request_id)
        self._trace_id = trace_id or request_id.hex
        self._utcnow = utcnow
        self._seq = 0
        self._step = 1
        self._step_is_over = False

    def record(self, event: Event) -> Record:
        if self._step_is_over and not isinstance(event, _OF_THE_WHOLE):
            self._turn_step()
        self._step_is_over |= isinstance(event, StepEnded)
        return self._record(NAMES[type(event)], payload(event))

    def failure(self, error: Exception) -> Record:
        if self._step_is_over:
            self._turn_step()
        return self._record(ERROR, fault(error))

    def _turn_step(self) -> None:
        self._step += 1
        self._step_is_over = False

    def _record(self, type_: str, own: Record) -> Record:
        self._seq += 1
        at = self._utcnow().astimezone(UTC).isoformat(timespec="milliseconds")
        return {
            "schema": SCHEMA,
            "type": type_,
            "seq": self._seq,
            "ts": at.replace("+00:00", "Z"),
            "request_id": self._request_id,
            "trace_id": self._trace_id,
            "step": self._step,
            **own,
        }


async def records(
    events: AsyncIterator[Event | None], scribe: Scribe, lost: Callable[[Exception], None]
) -> AsyncGenerator[Record | None, None]:
    """End with exactly one terminal record, whatever `events` does; what follows it is dropped.

    None is a silence, and is passed on.

    `lost` is told of a bug; its reader is told of an internal error and nothing of its inside.
    A cancellation is passed on: nobody reads any more.
    """
    try:
        async for event in events:
            yield None if event is None else scribe.record(event)
            if isinstance(event, Finish):
                return
        failure: Exception = StreamCut("The answer stopped before its end.")
    except EngineError as error:
        failure = error
    except Exception as bug:  # noqa: BLE001 - the outermost writer: a stream must not just stop
        lost(bug)
        failure = bug
    yield scribe.failure(failure)


def sse(record: Record) -> bytes:
    """As one server-sent event; its id is `seq`."""
    head = f"id: {record['seq']}\nevent: {record['type']}\ndata: ".encode()
    return head + orjson.dumps(record) + b"\n\n"


def ndjson(record: Record) -> bytes:
    return orjson.dumps(record) + b"\n"


def fault(error: Exception) -> Record:
    """As the scripts' interface shows errors, and `kind`, the engine's own code."""
    kind = error.code if isinstance(error, EngineError) else EngineError.code
    return {"kind": kind, **asdict(shown(error))}


def usage(used: Usage | None) -> Record | None:
    return None if used is None else asdict(used)


def tool_call(call: ToolCall) -> Record:
    """`arguments` is JSON text as the model wrote it; it may be malformed."""
    return {
        "id": call.id,
        "name": call.name,
        "arguments": call.arguments,
        "signature": call.signature,
    }


def tool_result(result: ToolResult) -> Record:
    return {
        "call_id": result.call_id,
        "name": result.name,
        "content": result.content,
        "is_error": result.is_error,
    }


@singledispatch
def payload(event: object) -> Record:
    """Tell what an event says, beyond what every record has."""
    raise TypeError(f"{type(event).__name__} is no event")


@payload.register
def _(event: Start) -> Record:
    return {"deployment": event.deployment, "attempt": event.attempt}


@payload.register
def _(event: TextDelta) -> Record:
    return {"text": event.text, "is_refusal": event.is_refusal}


@payload.register
def _(event: ReasoningDelta) -> Record:
    replay = None if event.replay is None else {"type": event.replay.type, **asdict(event.replay)}
    return {"text": event.text, "replay": replay}


@payload.register
def _(event: ToolCallDelta) -> Record:
    return asdict(event)


@payload.register
def _(event: ToolCalled) -> Record:
    return {"index": event.index, **tool_call(event.call)}


@payload.register
def _(event: ToolResulted) -> Record:
    said = tool_result(event.result)
    return {**said, "name": event.name, "duration_ms": event.duration_ms}


@payload.register
def _(event: Citations) -> Record:
    return {"items": [asdict(item) for item in event.items]}


@payload.register
def _(event: Safety) -> Record:
    return asdict(event)


@payload.register
def _(event: StepEnded) -> Record:
    return {
        "number": event.number,
        "text": event.text,
        "tool_calls": [tool_call(call) for call in event.calls],
        "tool_results": [tool_result(result) for result in event.results],
        "usage": usage(event.usage),
        "cost_usd": dollars(event.cost_nano),
        "duration_ms": event.duration_ms,
        "finish_reason": event.reason.value,
    }


@payload.register
def _(event: Notice) -> Record:
    return {"kind": event.kind.value, "message": event.message}


@payload.register
def _(event: UsageReported) -> Record:
    return {"usage": usage(event.usage), "cost_usd": dollars(event.cost_nano)}


@payload.register
def _(event: Finish) -> Record:
    return {"reason": event.reason.value, "stopped_by": event.stopped_by}
