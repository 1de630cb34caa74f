"""What an answer is made of, while it comes.

A failure is not an event: iteration raises the `EngineError`, and only the outermost writer of a
wire or a page turns it into that wire's error event. `Finish` is the one clean end.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from providers.engine.request import ToolCall
from providers.engine.usage import Usage


class FinishReason(StrEnum):
    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"


class NoticeKind(StrEnum):
    RETRY = "retry"
    FALLBACK = "fallback"
    DEGRADED = "degraded"
    CACHED = "cached"
    CLAMPED = "clamped"


@dataclass(frozen=True, slots=True)
class Start:
    """The answer has committed: who answers. `deployment` is `provider/model`."""

    deployment: str
    attempt: int


@dataclass(frozen=True, slots=True)
class TextDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A fragment of call `index`, counted from 0; `id` and `name` come with its first fragment."""

    index: int
    arguments: str
    id: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class ToolCalled:
    """A whole call; it follows its deltas."""

    index: int
    call: ToolCall


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the caller should be told in words; `message` is safe to show."""

    kind: NoticeKind
    message: str


@dataclass(frozen=True, slots=True)
class UsageReported:
    """The final figures; at most once an answer, before `Finish`."""

    usage: Usage


@dataclass(frozen=True, slots=True)
class Finish:
    reason: FinishReason


Event = (
    Start
    | TextDelta
    | ReasoningDelta
    | ToolCallDelta
    | ToolCalled
    | Notice
    | UsageReported
    | Finish
)

# The first of these commits the answer: before it a fallback is silent, after it impossible.
CONTENT = (TextDelta, ReasoningDelta, ToolCallDelta, ToolCalled)
