"""A request becomes a Chat Completions body."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import urlsplit

import orjson

from providers.engine.call import output_bound
from providers.engine.request import (
    CompletionRequest,
    Image,
    Message,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from providers.engine.routes import Deployment

KIND = "openai_chat"
_OPENAI = "api.openai.com"
# Newest name of the same limit, and the only one that OpenAI's reasoning models take.
_LIMITS = ("max_completion_tokens", "max_tokens")

Body = dict[str, Any]


def encoded(request: CompletionRequest, deployment: Deployment) -> bytes:
    """Encode it; a body that came on this wire keeps its unknown fields.

    The output is always bounded, because the hold on the budgets is.
    Options of the deployment: `max_tokens_field` names the limit, `stream_options` = `off` leaves
    these out for servers that refuse them.
    """
    raw = request.raw
    body = dict(raw.body) if raw is not None and raw.wire == KIND else _body(request, deployment)
    body["model"] = deployment.model
    body[_limit_field(body, deployment)] = output_bound(request, deployment)
    body["stream"] = request.stream
    asked = body.pop("stream_options", None)
    if request.stream and deployment.options.get("stream_options") != "off":
        others = cast("Body", asked) if isinstance(asked, dict) else {}
        body["stream_options"] = {**others, "include_usage": True}
    return orjson.dumps(body)


def _limit_field(body: Body, deployment: Deployment) -> str:
    """Choose one of the two names and take the other out: OpenAI refuses both at once."""
    is_openai = urlsplit(deployment.base_url).hostname == _OPENAI
    given = next((field for field in _LIMITS if body.get(field) is not None), "max_tokens")
    chosen = deployment.options.get("max_tokens_field") or (_LIMITS[0] if is_openai else given)
    for field in _LIMITS:
        body.pop(field, None)
    return chosen


def _body(request: CompletionRequest, deployment: Deployment) -> Body:
    knows_developer = urlsplit(deployment.base_url).hostname == _OPENAI
    body: Body = {
        "messages": [
            entry
            for message in request.messages
            for entry in _entries(message, knows_developer=knows_developer)
        ]
    }
    optional = {
        "temperature": request.temperature,
        "top_p": request.top_p,
        "stop": list(request.stop) or None,
        "seed": request.seed,
        "tools": [_tool(tool) for tool in request.tools] or None,
        "tool_choice": _tool_choice(request.tool_choice),
    }
    body.update((name, value) for name, value in optional.items() if value is not None)
    return body


def _entries(message: Message, *, knows_developer: bool) -> Iterator[Body]:
    """Spread one message over the wire's: each tool result stands in one of its own."""
    for part in message.parts:
        if isinstance(part, ToolResult):
            yield {"role": "tool", "tool_call_id": part.call_id, "content": part.content}
    content = _content(message)
    calls = [_tool_call(part) for part in message.parts if isinstance(part, ToolCall)]
    if content is None and not calls and message.role is not Role.ASSISTANT:
        return
    if message.role is Role.TOOL:
        return
    role = message.role
    if role is Role.DEVELOPER and not knows_developer:
        role = Role.SYSTEM
    entry: Body = {"role": str(role), "content": content if content is not None else ""}
    if calls:
        entry["content"] = content
        entry["tool_calls"] = calls
    yield entry


def _content(message: Message) -> str | list[Body] | None:
    """Plain text where there is no picture, since not every server takes a list."""
    if not any(isinstance(part, Image) for part in message.parts):
        return message.text or None
    return [
        {"type": "text", "text": part.text}
        if isinstance(part, Text)
        else {"type": "image_url", "image_url": {"url": part.url}}
        for part in message.parts
        if isinstance(part, Text | Image)
    ]


def _tool_call(call: ToolCall) -> Body:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


def _tool(tool: Tool) -> Body:
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters),
    }
    return {"type": "function", "function": function}


def _tool_choice(choice: str | None) -> str | Body | None:
    if choice is None or choice in {"auto", "none", "required"}:
        return choice
    return {"type": "function", "function": {"name": choice}}
