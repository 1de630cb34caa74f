"""What a caller asks: messages, parameters, tools."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID


class Role(StrEnum):
    SYSTEM = "system"
    DEVELOPER = "developer"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class Text:
    text: str
    type: ClassVar[str] = "text"


@dataclass(frozen=True, slots=True)
class Image:
    """An https or data URL, or a file that the provider keeps; never fetched by us.

    `detail` is the field's `low`, `high` or `auto`; None: the provider's own choice.
    """

    url: str = ""
    file_id: str | None = None
    detail: str | None = None
    type: ClassVar[str] = "image"


@dataclass(frozen=True, slots=True)
class Audio:
    """A data URL such as `data:audio/wav;base64,...`, an https URL, or a provider's file."""

    url: str = ""
    file_id: str | None = None
    type: ClassVar[str] = "audio"


@dataclass(frozen=True, slots=True)
class File:
    """A document: data URL, https URL, or a provider's file. `name` empty: it has none."""

    url: str = ""
    file_id: str | None = None
    name: str = ""
    type: ClassVar[str] = "file"


@dataclass(frozen=True, slots=True)
class Reasoning:
    """A thought, kept so that the provider that had it can be shown it again.

    `signature` is the provider's own seal (Anthropic's signature or redacted data, OpenAI's
    encrypted content, Gemini's thought signature); None where it gives none. `wire` is the adapter
    that can read it: to every other one the thought is only text. `is_redacted`: there is no text.
    """

    text: str
    signature: str | None = None
    id: str | None = None
    wire: str | None = None
    is_redacted: bool = False
    type: ClassVar[str] = "reasoning"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a model said when it declined; sent back to it as its own words."""

    text: str
    type: ClassVar[str] = "refusal"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """`arguments` is the JSON text as the model wrote it; it may be malformed.

    `signature`: Gemini seals a call itself; it is refused there when it comes back without.
    """

    id: str
    name: str
    arguments: str
    signature: str | None = None
    type: ClassVar[str] = "tool_call"


@dataclass(frozen=True, slots=True)
class ToolResult:
    """`name` empty: the call with this id tells it."""

    call_id: str
    content: str
    is_error: bool = False
    name: str = ""
    type: ClassVar[str] = "tool_result"


Part = Text | Image | Audio | File | Reasoning | Refusal | ToolCall | ToolResult
"""Told apart by `type`."""


@dataclass(frozen=True, slots=True)
class Message:
    role: Role
    parts: tuple[Part, ...]

    @classmethod
    def of(cls, role: Role, text: str) -> Message:
        return cls(role, (Text(text),))

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, Text))


@dataclass(frozen=True, slots=True)
class Tool:
    """`parameters` is a JSON Schema object. `strict`: the provider must hold itself to it."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    strict: bool = False


@dataclass(frozen=True, slots=True)
class ResponseSchema:
    """The answer must be JSON. `schema` None: any object; else one that this JSON Schema allows."""

    schema: Mapping[str, Any] | None = None
    name: str = "answer"
    strict: bool = True


class Effort(StrEnum):
    """How much a model may think, in the field's words; an adapter takes the nearest it has."""

    NONE = "none"
    MINIMAL = "minimal"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Caching(StrEnum):
    """`ON`: also where the same prompt may be answered otherwise; `OFF`: neither read nor kept."""

    ON = "on"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class MaxSteps:
    most: int


@dataclass(frozen=True, slots=True)
class NoMoreTools:
    """The model called none: there is nothing left to answer it."""


@dataclass(frozen=True, slots=True)
class UntilTool:
    """A tool of this name was called, whatever came of it."""

    name: str


@dataclass(frozen=True, slots=True)
class TextMatch:
    """The text of all steps together holds these characters; case counts."""

    text: str


@dataclass(frozen=True, slots=True)
class CostLimit:
    """Nano-dollars of all steps together; no step is begun that might take them past it."""

    nano: int


@dataclass(frozen=True, slots=True)
class TimeLimit:
    """Since the run began; a step that is under way is not broken off."""

    seconds: float


@dataclass(frozen=True, slots=True)
class TokenLimit:
    """Of prompts and answers of all steps together."""

    tokens: int


@dataclass(frozen=True, slots=True)
class AnyOf:
    conditions: tuple[StopCondition, ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    """Empty: never."""

    conditions: tuple[StopCondition, ...]


StopCondition = (
    MaxSteps
    | NoMoreTools
    | UntilTool
    | TextMatch
    | CostLimit
    | TimeLimit
    | TokenLimit
    | AnyOf
    | AllOf
)
"""Looked at after each step of a run; `stop.reached` says why."""


@dataclass(frozen=True, slots=True)
class RawBody:
    """The caller's own body, kept so that fields unknown to us survive on the same wire.

    `wire` is an adapter's kind such as `openai_chat`; `size` is the body's length in bytes.
    """

    wire: str
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    size: int


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """One prompt. `route` is the public model name. None means unset, which is not zero.

    `tool_choice` is `auto`, `none`, `required` or a tool's name. `choices` is the field's `n`.
    `cache` unset: where the same prompt is answered alike, that is at a low temperature.
    `provider_options`, by provider name or adapter kind, are put into the body as they are.
    The same `idempotency_key` of one caller is one prompt, however often it is sent.

    `hosted_tools` are names of tools that run here; the engine runs what the model calls of them
    and asks it again. `tools` run at the caller's: a call of one ends the answer. With hosted
    tools or with `stop_when` the answer comes in steps: `StepEnded` after each, `response_schema`
    is checked, and `Finish.stopped_by` says why there is no further one.
    `traceparent` is the caller's W3C trace context, None where it sent none.
    """

    id: UUID
    route: str
    messages: tuple[Message, ...]
    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: str | None = None
    response_schema: ResponseSchema | None = None
    effort: Effort | None = None
    choices: int = 1
    stream: bool = True
    idempotency_key: str | None = None
    traceparent: str | None = None
    cache: Caching | None = None
    provider_options: Mapping[str, Mapping[str, Any]] = field(
        default_factory=dict[str, Mapping[str, Any]]
    )
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    hosted_tools: tuple[str, ...] = ()
    stop_when: StopCondition | None = None
    raw: RawBody | None = None

    @property
    def comes_in_steps(self) -> bool:
        return bool(self.hosted_tools) or self.stop_when is not None
