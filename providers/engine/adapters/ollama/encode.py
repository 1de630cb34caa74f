"""A request becomes a body of `/api/chat`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from providers.engine.call import output_bound
from providers.engine.data_urls import inline
from providers.engine.errors import InvalidRequest
from providers.engine.json_fields import arguments, inner
from providers.engine.provider_options import merge_options
from providers.engine.request import (
    Audio,
    CompletionRequest,
    Effort,
    File,
    Image,
    Message,
    Reasoning,
    Refusal,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from providers.engine.routes import Deployment

KIND = "ollama"
# The only family with levels; to the others thinking is on or off.
# Source: Ollama, "Thinking".
_HAS_LEVELS = "gpt-oss"
_LEVELS = {Effort.MINIMAL: "low", Effort.LOW: "low", Effort.MEDIUM: "medium", Effort.HIGH: "high"}

Body = dict[str, Any]


def encoded(request: CompletionRequest, deployment: Deployment) -> bytes:
    names = {
        part.id: part.name
        for message in request.messages
        for part in message.parts
        if isinstance(part, ToolCall)
    }
    body: Body = {
        "messages": [
            entry
            for n, message in enumerate(request.messages)
            for entry in _entries(message, f"messages.{n}.content", names)
        ],
        "options": _options(request),
    }
    optional = {
        "tools": [_tool(tool) for tool in _offered(request)] or None,
        "format": _format(request),
        "think": _think(request.effort, deployment.model),
    }
    body.update((name, value) for name, value in optional.items() if value is not None)
    merge_options(body, request, deployment)
    body["model"] = deployment.model
    body["options"] = {**inner(body, "options"), "num_predict": output_bound(request, deployment)}
    body["stream"] = request.stream
    return orjson.dumps(body)


def _options(request: CompletionRequest) -> Body:
    optional = {
        "temperature": request.temperature,
        "top_p": request.top_p,
        "stop": list(request.stop) or None,
        "seed": request.seed,
    }
    return {name: value for name, value in optional.items() if value is not None}


def _offered(request: CompletionRequest) -> tuple[Tool, ...]:
    """Offer no other tool than the chosen one: the wire itself knows no choice."""
    match request.tool_choice:
        case None | "auto" | "required":
            return request.tools
        case "none":
            return ()
        case name:
            return tuple(tool for tool in request.tools if tool.name == name)


def _entries(message: Message, path: str, names: dict[str, str]) -> Iterator[Body]:
    """Spread one message over the wire's: each tool result stands in one of its own."""
    for part in message.parts:
        if isinstance(part, ToolResult):
            name = part.name or names.get(part.call_id)
            result = {"role": "tool", "content": part.content, "tool_call_id": part.call_id}
            yield {**result, "tool_name": name} if name else result
    rest = [part for part in message.parts if not isinstance(part, ToolResult)]
    if not rest:
        return
    said = (part.text for part in rest if isinstance(part, Text | Refusal))
    entry: Body = {"role": _role(message.role), "content": "".join(said)}
    thoughts = (part.text for part in rest if isinstance(part, Reasoning) and part.wire == KIND)
    optional = {
        "thinking": "".join(thoughts),
        "images": [
            _image(part, f"{path}.{place}")
            for place, part in enumerate(message.parts)
            if isinstance(part, Image | Audio | File)
        ],
        "tool_calls": [_call(part) for part in rest if isinstance(part, ToolCall)],
    }
    yield {**entry, **{name: value for name, value in optional.items() if value}}


def _role(role: Role) -> str:
    return "system" if role is Role.DEVELOPER else str(role)


def _image(part: Image | Audio | File, path: str) -> str:
    """Take the bytes; the server fetches nothing, and neither do we."""
    found = inline(part.url, part.type, path) if isinstance(part, Image) else None
    if found is None:
        raise InvalidRequest(
            f"This provider takes pictures as data URLs only, and no {part.type} such as this.",
            param=path,
        )
    return found.data


def _call(call: ToolCall) -> Body:
    """Send the id as well: newer servers match results by it, older ones pass it over."""
    function = {"name": call.name, "arguments": arguments(call.arguments)}
    return {"id": call.id, "function": function}


def _tool(tool: Tool) -> Body:
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters) or {"type": "object", "properties": {}},
    }
    return {"type": "function", "function": function}


def _format(request: CompletionRequest) -> Any:
    wanted = request.response_schema
    if wanted is None:
        return None
    return "json" if wanted.schema is None else wanted.schema


def _think(effort: Effort | None, model: str) -> bool | str | None:
    if effort is None:
        return None
    if effort is Effort.NONE:
        return False
    return _LEVELS[effort] if _HAS_LEVELS in model else True
