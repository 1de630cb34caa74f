"""What an answer is made of, while it comes.

A failure is not an event: iteration raises the `EngineError`, and only the outermost writer of a
wire or a page turns it into that wire's error event. `Finish` is the one clean end.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from providers.engine.embedding import Vector
from providers.engine.request import Reasoning, ToolCall, ToolResult
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
    STRUCTURED = "structured"
    BUDGET = "budget"


@dataclass(frozen=True, slots=True)
class Start:
    """The answer has committed: who answers. `deployment` is `provider/model`."""

    deployment: str
    attempt: int


@dataclass(frozen=True, slots=True)
class TextDelta:
    """`is_refusal`: these are the words with which the model declines."""

    text: str
    is_refusal: bool = False


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """`replay`: the whole thought with its seal, beside its last delta, whose text may be empty."""

    text: str
    replay: Reasoning | None = None


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
class ToolResulted:
    """One of our own tools ran; `duration_ms` None: a caller gave the result."""

    name: str
    result: ToolResult
    duration_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a passage comes from. `start` and `end` are characters of the answer's text."""

    url: str = ""
    title: str = ""
    quoted: str = ""
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Citations:
    """Sources of what was said."""

    items: tuple[Citation, ...]


@dataclass(frozen=True, slots=True)
class Safety:
    """A verdict of a provider's or of our own filter; `is_blocked`: something was kept back."""

    category: str
    message: str
    is_blocked: bool = False


@dataclass(frozen=True, slots=True)
class StepEnded:
    """One model step of a tool loop with what it used. `cost_nano` None: it has no price."""

    number: int
    text: str
    calls: tuple[ToolCall, ...]
    results: tuple[ToolResult, ...]
    usage: Usage | None
    cost_nano: int | None
    duration_ms: int
    reason: FinishReason


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the caller should be told in words; `message` is safe to show."""

    kind: NoticeKind
    message: str


@dataclass(frozen=True, slots=True)
class UsageReported:
    """The final figures; at most once an answer, before `Finish`.

    `cost_nano`: of a tool loop's steps together. None: unknown, or an answer of one step whose
    cost is its call's.
    """

    usage: Usage
    cost_nano: int | None = None


@dataclass(frozen=True, slots=True)
class Finish:
    """`stopped_by`: the stop condition that ended a tool loop, in words; None: none did."""

    reason: FinishReason
    stopped_by: str | None = None


@dataclass(frozen=True, slots=True)
class Embedded:
    """All vectors of an embedding, in the order of its texts."""

    vectors: tuple[Vector, ...]


Event = (
    Start
    | TextDelta
    | ReasoningDelta
    | ToolCallDelta
    | ToolCalled
    | ToolResulted
    | Citations
    | Safety
    | StepEnded
    | Notice
    | UsageReported
    | Embedded
    | Finish
)

# The first of these commits the answer: before it a fallback is silent, after it impossible.
CONTENT = (TextDelta, ReasoningDelta, ToolCallDelta, ToolCalled)
