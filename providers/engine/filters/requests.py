"""A request as it may go upstream: every text in it, also in fields that are unknown to us.

What a provider has sealed (signed or encrypted thoughts) stays as it is: it wrote it itself, and
refuses it when it was changed. Definitions of tools and schemas are the application's own words and
stay too; media are not looked into.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import orjson

from providers.engine.errors import InvalidRequest, Violation
from providers.engine.filters.finder import Finder
from providers.engine.filters.spans import replaced
from providers.engine.policy import FilterMode
from providers.engine.request import (
    CompletionRequest,
    File,
    Message,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)

_DEEPEST = 64
_SCHEMAS = frozenset({
    "model", "tools", "tool_choice", "toolConfig", "functions", "response_format",
    "generationConfig", "safetySettings", "stop", "stop_sequences", "context_management",
})  # fmt: skip
# Names, ids and bytes; and addresses, which a placeholder would only break.
_STRUCTURE = frozenset({
    "type", "role", "id", "call_id", "tool_call_id", "tool_use_id", "name", "signature",
    "encrypted_content", "thoughtSignature", "data", "file_data", "file_id", "media_type",
    "mime_type", "mimeType", "format", "detail", "url", "uri", "fileUri", "file_uri",
    "cache_control",
})  # fmt: skip
_RESULTS = frozenset({"tool_result", "function_call_output"})
_RESULT_ROLES = frozenset({"tool", "function"})
_RESULT_FIELDS = frozenset({"functionResponse", "function_response"})
_SEALS = ("signature", "encrypted_content", "thoughtSignature")


@dataclass(slots=True)
class Screen:
    """One look over a request. `text` is the mode for what people say, `tools` for results.

    `found` grows: what was found and where; in the mode `off` nothing is looked at.
    """

    finder: Finder
    text: FilterMode
    tools: FilterMode
    found: list[tuple[FilterMode, Violation]] = field(
        default_factory=list[tuple[FilterMode, Violation]]
    )

    def request(self, request: CompletionRequest) -> CompletionRequest:
        """Answer it with placeholders where the modes ask for them.

        A raw body is looked through whole, since it is what may be sent. Raises DetectorFailed,
        InvalidRequest.
        """
        raw = request.raw
        if raw is None:
            return replace(request, messages=self._messages(request.messages))
        body = {name: self._top(name, value) for name, value in raw.body.items()}
        if not any(mode is FilterMode.REDACT for mode, _ in self.found):
            return request
        told = list(self.found)
        messages = self._messages(request.messages)
        # The same text a second time: it was told by its place in the caller's own body.
        self.found[:] = told
        size = max(raw.size, len(orjson.dumps(body)))
        return replace(request, messages=messages, raw=replace(raw, body=body, size=size))

    def result(self, result: ToolResult, path: str = "") -> ToolResult:
        return replace(result, content=self.words(result.content, self.tools, path))

    def words(self, text: str, mode: FilterMode, path: str) -> str:
        if mode is FilterMode.OFF or not text:
            return text
        spans = self.finder.find(text)
        self.found += [(mode, Violation(span.kind, path)) for span in spans]
        return replaced(text, spans) if mode is FilterMode.REDACT else text

    def arguments(self, text: str, mode: FilterMode, path: str) -> str:
        """Change a call's arguments so that they stay JSON, numbers included."""
        if mode is FilterMode.OFF:
            return text
        try:
            parsed: object = orjson.loads(text)
        except orjson.JSONDecodeError:
            return self.words(text, mode, path)
        before = len(self.found)
        changed = self._value(parsed, mode, path)
        is_changed = mode is FilterMode.REDACT and len(self.found) > before
        return orjson.dumps(changed).decode() if is_changed else text

    def _messages(self, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        return tuple(
            replace(
                message,
                parts=tuple(
                    self._part(part, f"messages.{n}.content.{m}")
                    for m, part in enumerate(message.parts)
                ),
            )
            for n, message in enumerate(messages)
        )

    def _part(self, part: Part, path: str) -> Part:
        match part:
            case Text(text) | Refusal(text) | Reasoning(text, signature=None):
                return replace(part, text=self.words(text, self.text, path))
            case ToolCall():
                return replace(part, arguments=self.arguments(part.arguments, self.text, path))
            case ToolResult():
                return self.result(part, path)
            case File(name=name):
                return replace(part, name=self.words(name, self.text, path))
            case _:
                return part

    def _top(self, name: str, value: object) -> object:
        return value if name in _SCHEMAS else self._value(value, self.text, name)

    def _value(self, value: object, mode: FilterMode, path: str, depth: int = 0) -> object:
        if depth > _DEEPEST:
            raise InvalidRequest(f"{path[:120]} is nested too deeply.", param=path[:120])
        changed = value
        match value:
            case str():
                changed = self.words(value, mode, path)
            case int() if not isinstance(value, bool):
                # A number in place of a string hides nothing.
                shown = self.words(str(value), mode, path)
                changed = value if shown == str(value) else shown
            case list():
                changed = [
                    self._value(each, mode, f"{path}.{n}", depth + 1)
                    for n, each in enumerate(cast("list[object]", value))
                ]
            case dict():
                changed = self._fields(cast("dict[str, Any]", value), mode, path, depth)
            case _:
                pass
        return changed

    def _fields(
        self, fields: Mapping[str, Any], mode: FilterMode, path: str, depth: int
    ) -> Mapping[str, object]:
        if any(fields.get(seal) for seal in _SEALS):
            return fields
        is_result = fields.get("type") in _RESULTS or fields.get("role") in _RESULT_ROLES
        inner = self.tools if is_result else mode
        return {
            name: self._field(name, value, inner, f"{path}.{name}", depth + 1)
            for name, value in fields.items()
        }

    def _field(self, name: str, value: Any, mode: FilterMode, path: str, depth: int) -> object:
        if name in _STRUCTURE and isinstance(value, str):
            return value
        if name == "arguments" and isinstance(value, str):
            return self.arguments(value, mode, path)
        mode = self.tools if name in _RESULT_FIELDS else mode
        return self._value(value, mode, path, depth)
