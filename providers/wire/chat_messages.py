"""The messages of a chat completion, read into the engine's. Source: OpenAI, as in its request."""

from __future__ import annotations

from typing import Any

from providers.engine.errors import InvalidRequest
from providers.engine.request import Image, Message, Part, Role, Text, ToolCall, ToolResult
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
        raise InvalidRequest(
            f"`{path}.role` must be one of {', '.join(Role)}.", param=f"{path}.role"
        ) from None
    if role is Role.TOOL:
        return Message(role, (_tool_result(fields, path),))
    parts = _parts(fields.get("content"), f"{path}.content")
    if role is Role.ASSISTANT:
        parts += _tool_calls(fields.get("tool_calls"), f"{path}.tool_calls")
    if not parts:
        raise InvalidRequest(f"`{path}.content` is missing.", param=f"{path}.content")
    return Message(role, parts)


def _parts(value: Any, path: str) -> tuple[Part, ...]:
    if isinstance(value, str):
        return (Text(value),)
    if value is None:
        return ()
    return tuple(_part(each, f"{path}.{n}") for n, each in enumerate(items(value, path)))


def _part(value: Any, path: str) -> Part:
    fields = mapping(value, path)
    kind = text(fields.get("type"), f"{path}.type")
    if kind == "text":
        return Text(text(fields.get("text"), f"{path}.text"))
    if kind == "refusal":
        return Text(text(fields.get("refusal"), f"{path}.refusal"))
    if kind == "image_url":
        image = mapping(fields.get("image_url"), f"{path}.image_url")
        return Image(text(image.get("url"), f"{path}.image_url.url"))
    raise InvalidRequest(
        f"`{path}.type` must be `text` or `image_url`; others are not supported yet.",
        param=f"{path}.type",
    )


def _tool_result(fields: dict[str, Any], path: str) -> ToolResult:
    parts = _parts(fields.get("content"), f"{path}.content")
    return ToolResult(
        call_id=text(fields.get("tool_call_id"), f"{path}.tool_call_id"),
        content="".join(part.text for part in parts if isinstance(part, Text)),
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
    )
