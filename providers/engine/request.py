"""What a caller asks: messages, parameters, tools."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
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


@dataclass(frozen=True, slots=True)
class Image:
    """An https or data URL; never fetched by us."""

    url: str


@dataclass(frozen=True, slots=True)
class Reasoning:
    """`signature` is the provider's own, kept for replay; None where it gives none."""

    text: str
    signature: str | None = None


@dataclass(frozen=True, slots=True)
class ToolCall:
    """`arguments` is the JSON text as the model wrote it; it may be malformed."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolResult:
    call_id: str
    content: str
    is_error: bool = False


Part = Text | Image | Reasoning | ToolCall | ToolResult


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
    """`parameters` is a JSON Schema object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


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
    choices: int = 1
    stream: bool = True
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    raw: RawBody | None = None
