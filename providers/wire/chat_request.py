"""The body of a chat completion, read into the engine's request.

Source: OpenAI, API reference, "Create chat completion". Ranges are the engine's to check; here
are types and shapes. What we do not know stays in the raw body.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from providers.engine.errors import InvalidRequest
from providers.engine.request import (
    Caching,
    CompletionRequest,
    Effort,
    RawBody,
    ResponseSchema,
    Tool,
)
from providers.wire.chat_messages import messages
from providers.wire.fields import (
    boolean,
    integer,
    items,
    json_object,
    mapping,
    number,
    optional,
    text,
)

WIRE = "openai_chat"
_EFFORTS = {str(effort): effort for effort in Effort}


@dataclass(frozen=True, slots=True)
class ChatRequest:
    request: CompletionRequest
    include_usage: bool


def parse(
    body: bytes,
    request_id: UUID,
    traceparent: str | None = None,
    *,
    cache: Caching | None = None,
) -> ChatRequest:
    """Raise InvalidRequest with the path of the faulty field."""
    fields = json_object(body)
    _refuse_unsupported(fields)
    # Ours, not OpenAI's: who reads the raw body must not send it on.
    options = _provider_options(fields.pop("provider_options", None))
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
        response_schema=_schema(fields.get("response_format")),
        effort=_effort(fields.get("reasoning_effort")),
        choices=_choices(fields),
        stream=stream,
        provider_options=options,
        metadata=_metadata(fields.get("metadata")),
        traceparent=traceparent,
        cache=cache,
        raw=RawBody(wire=WIRE, body=fields, headers={}, size=len(body)),
    )
    return ChatRequest(request, stream and _include_usage(fields))


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
        strict=optional(function, "strict", boolean) or False,
    )


def _tool_choice(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    function = mapping(mapping(value, "tool_choice").get("function"), "tool_choice.function")
    return text(function.get("name"), "tool_choice.function.name")


def _schema(value: Any) -> ResponseSchema | None:
    if value is None:
        return None
    fields = mapping(value, "response_format")
    kind = text(fields.get("type"), "response_format.type")
    if kind == "text":
        return None
    if kind == "json_object":
        return ResponseSchema()
    if kind != "json_schema":
        raise InvalidRequest(
            "`response_format.type` must be `text`, `json_object` or `json_schema`.",
            param="response_format.type",
        )
    path = "response_format.json_schema"
    wanted = mapping(fields.get("json_schema"), path)
    return ResponseSchema(
        schema=mapping(wanted.get("schema"), f"{path}.schema"),
        name=text(wanted.get("name"), f"{path}.name"),
        strict=optional(wanted, "strict", boolean) or False,
    )


def _effort(value: Any) -> Effort | None:
    """Read the nearest that we know; a word of one provider alone stays in the raw body."""
    if value is None:
        return None
    word = text(value, "reasoning_effort")
    return Effort.HIGH if word in {"xhigh", "max"} else _EFFORTS.get(word)


def _provider_options(value: Any) -> dict[str, dict[str, Any]]:
    if value is None:
        return {}
    named = mapping(value, "provider_options").items()
    return {name: mapping(each, f"provider_options.{name}") for name, each in named}


def _metadata(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    pairs = mapping(value, "metadata").items()
    return {name: text(each, f"metadata.{name}") for name, each in pairs}


def _include_usage(fields: Mapping[str, Any]) -> bool:
    options = optional(fields, "stream_options", mapping) or {}
    return optional(options, "include_usage", boolean) or False
