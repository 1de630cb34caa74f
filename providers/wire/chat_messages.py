"""The messages of a chat completion, read into the engine's. Source: OpenAI, as in its request."""

from __future__ import annotations

from typing import Any

from providers.engine.errors import InvalidRequest, InvalidRole
from providers.engine.request import Message, Part, Refusal, Role, Text, ToolCall, ToolResult
from providers.wire.chat_parts import parts
from providers.wire.fields import items, mapping, text


def messages(value: Any) -> tuple[Message, ...]:
    found = items(value, "messages")
    if not found:
        raise InvalidRequest("`messages` is empty.", param="messages")
    return tuple(_message(each, f"messages.{n}") for n, each in enumerate(found))


def _message(value: Any, path: str) -> Message:
    fields = mapping(value, path)
    name = text(fields.get("role"), f"{path}.role")
    try:
        role = Role(name)
    except ValueError:
        raise InvalidRole(
            f"`{path}.role` must be one of {', '.join(Role)}.", param=f"{path}.role"
        ) from None
    if role is Role.TOOL:
        return Message(role, (_tool_result(fields, path),))
    found = parts(fields.get("content"), f"{path}.content")
    if role is Role.ASSISTANT:
        found = _own_words(fields, path, found)
    if not found:
        raise InvalidRequest(f"`{path}.content` is missing.", param=f"{path}.content")
    return Message(role, found)


def _own_words(fields: dict[str, Any], path: str, said: tuple[Part, ...]) -> tuple[Part, ...]:
    """Put a model's refusal and its calls beside what it said."""
    refusal = fields.get("refusal")
    if refusal is not None:
        said += (Refusal(text(refusal, f"{path}.refusal")),)
    return said + _tool_calls(fields.get("tool_calls"), f"{path}.tool_calls")


def _tool_result(fields: dict[str, Any], path: str) -> ToolResult:
    found = parts(fields.get("content"), f"{path}.content")
    return ToolResult(
        call_id=text(fields.get("tool_call_id"), f"{path}.tool_call_id"),
        content="".join(part.text for part in found if isinstance(part, Text)),
    )


def _tool_calls(value: Any, path: str) -> tuple[Part, ...]:
    if value is None:
        return ()
    return tuple(_tool_call(each, f"{path}.{n}") for n, each in enumerate(items(value, path)))


def _tool_call(value: Any, path: str) -> ToolCall:
    fields = mapping(value, path)
    function = mapping(fields.get("function"), f"{path}.function")
    return ToolCall(
        id=text(fields.get("id"), f"{path}.id"),
        name=text(function.get("name"), f"{path}.function.name"),
        arguments=text(function.get("arguments"), f"{path}.function.arguments"),
        signature=_seal(fields, path),
    )


def _seal(fields: dict[str, Any], path: str) -> str | None:
    """Read Gemini's seal of the call, where Google's own compatible endpoint puts it.

    Source: Google, "Thought signatures", OpenAI compatibility.
    """
    extra = fields.get("extra_content")
    google = mapping(extra, f"{path}.extra_content").get("google") if extra is not None else None
    if google is None:
        return None
    where = f"{path}.extra_content.google"
    seal = mapping(google, where).get("thought_signature")
    return None if seal is None else text(seal, f"{where}.thought_signature")
