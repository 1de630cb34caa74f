"""Parts of messages as scripts write and read them, told apart by `type`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import ConfigDict, Field

from providers.engine import request as engine

_WHERE = "An https or data URL; never fetched by us."
_KEPT = "A file that the provider keeps."


class _Part(Schema):
    model_config = ConfigDict(extra="forbid")

    def to_engine(self) -> engine.Part:
        raise NotImplementedError


class TextPart(_Part):
    type: Literal["text"]
    text: str

    def to_engine(self) -> engine.Part:
        return engine.Text(self.text)


class ImagePart(_Part):
    type: Literal["image"]
    url: str = Field("", description=_WHERE)
    file_id: str | None = Field(None, description=_KEPT)
    detail: Literal["low", "high", "auto"] | None = None

    def to_engine(self) -> engine.Part:
        return engine.Image(self.url, self.file_id, self.detail)


class AudioPart(_Part):
    type: Literal["audio"]
    url: str = Field("", description=_WHERE)
    file_id: str | None = Field(None, description=_KEPT)

    def to_engine(self) -> engine.Part:
        return engine.Audio(self.url, self.file_id)


class FilePart(_Part):
    type: Literal["file"]
    url: str = Field("", description=_WHERE)
    file_id: str | None = Field(None, description=_KEPT)
    name: str = ""

    def to_engine(self) -> engine.Part:
        return engine.File(self.url, self.file_id, self.name)


class ReasoningPart(_Part):
    """A thought as an answer gave it; send it back as it is."""

    type: Literal["reasoning"]
    text: str
    signature: str | None = None
    id: str | None = None
    wire: str | None = None
    is_redacted: bool = False

    def to_engine(self) -> engine.Part:
        return engine.Reasoning(self.text, self.signature, self.id, self.wire, self.is_redacted)


class RefusalPart(_Part):
    type: Literal["refusal"]
    text: str

    def to_engine(self) -> engine.Part:
        return engine.Refusal(self.text)


class ToolCallPart(_Part):
    type: Literal["tool_call"]
    id: str
    name: str
    arguments: str = Field(description="JSON text as the model wrote it; it may be malformed.")
    signature: str | None = None

    def to_engine(self) -> engine.Part:
        return engine.ToolCall(self.id, self.name, self.arguments, self.signature)


class ToolResultPart(_Part):
    type: Literal["tool_result"]
    call_id: str
    content: str
    is_error: bool = False
    name: str = ""

    def to_engine(self) -> engine.Part:
        return engine.ToolResult(self.call_id, self.content, self.is_error, self.name)


Part = Annotated[
    TextPart
    | ImagePart
    | AudioPart
    | FilePart
    | ReasoningPart
    | RefusalPart
    | ToolCallPart
    | ToolResultPart,
    Field(discriminator="type"),
]


def written(parts: Sequence[engine.Part]) -> list[dict[str, Any]]:
    return [{"type": part.type, **asdict(part)} for part in parts]
