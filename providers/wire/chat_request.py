"""The body of a chat completion, read into the engine's request.

Source: OpenAI, API reference, "Create chat completion". Ranges are the engine's to check; here
are types and shapes. What we do not know stays in the raw body.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from providers.engine.errors import InvalidRequest
from providers.engine.request import CompletionRequest, RawBody, Tool
from providers.wire.chat_messages import messages
from providers.wire.fields import boolean, integer, items, mapping, number, optional, text

WIRE = "openai_chat"


@dataclass(frozen=True, slots=True)
class ChatRequest:
    request: CompletionRequest
    include_usage: bool


def parse(body: bytes, request_id: UUID, traceparent: str | None = None) -> ChatRequest:
    """Raise InvalidRequest with the path of the faulty field."""
    fields = _object(body)
    _refuse_unsupported(fields)
    stream = optional(fields, "stream", boolean) or False
    request = CompletionRequest(
        id=request_id,
        route=text(fields.get("model"), "model"),
        messages=messages(fields.get("messages")),
        temperature=optional(fields, "temperature", number),
        top_p=optional(fields, "top_p", number),
        max_output_tokens=_max_output(fields),
        stop=_stop(fields.get("stop")),
        seed=optional(fields, "seed", integer),
        tools=_tools(fields.get("tools")),
        tool_choice=_tool_choice(fields.get("tool_choice")),
        choices=_choices(fields),
        stream=stream,
        metadata=_metadata(fields.get("metadata")),
        traceparent=traceparent,
        raw=RawBody(wire=WIRE, body=fields, headers={}, size=len(body)),
    )
    return ChatRequest(request, stream and _include_usage(fields))


def _object(body: bytes) -> dict[str, Any]:
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as fault:
        raise InvalidRequest(
            f"The body is not JSON: line {fault.lineno}, column {fault.colno}."
        ) from None
    if not isinstance(fields, dict):
        raise InvalidRequest("The body is not a JSON object.")
    return fields


def _refuse_unsupported(fields: Mapping[str, Any]) -> None:
    for old in ("functions", "function_call"):
        if fields.get(old) is not None:
            raise InvalidRequest("Send `tools` and `tool_choice` instead.", param=old)


def _choices(fields: Mapping[str, Any]) -> int:
    choices = optional(fields, "n", integer)
    return 1 if choices is None else choices


def _max_output(fields: Mapping[str, Any]) -> int | None:
    newer = optional(fields, "max_completion_tokens", integer)
    return optional(fields, "max_tokens", integer) if newer is None else newer


def _stop(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    return tuple(text(each, f"stop.{n}") for n, each in enumerate(items(value, "stop")))


def _tools(value: Any) -> tuple[Tool, ...]:
    if value is None:
        return ()
    return tuple(_tool(each, f"tools.{n}") for n, each in enumerate(items(value, "tools")))


def _tool(value: Any, path: str) -> Tool:
    tool = mapping(value, path)
    if tool.get("type") != "function":
        raise InvalidRequest("Only tools of type `function` are known.", param=f"{path}.type")
    function = mapping(tool.get("function"), f"{path}.function")
    return Tool(
        name=text(function.get("name"), f"{path}.function.name"),
        description=optional(function, "description", text) or "",
        parameters=optional(function, "parameters", mapping)
        or {"type": "object", "properties": {}},
    )


def _tool_choice(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    function = mapping(mapping(value, "tool_choice").get("function"), "tool_choice.function")
    return text(function.get("name"), "tool_choice.function.name")


def _metadata(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    pairs = mapping(value, "metadata").items()
    return {name: text(each, f"metadata.{name}") for name, each in pairs}


def _include_usage(fields: Mapping[str, Any]) -> bool:
    options = optional(fields, "stream_options", mapping) or {}
    return optional(options, "include_usage", boolean) or False
