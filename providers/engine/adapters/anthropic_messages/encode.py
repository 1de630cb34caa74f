"""A request becomes a Messages body."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import orjson

from providers.engine.call import output_bound
from providers.engine.errors import InvalidRequest
from providers.engine.request import (
    Audio,
    CompletionRequest,
    File,
    Image,
    Message,
    Part,
    Reasoning,
    Refusal,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from providers.engine.routes import Deployment

KIND = "anthropic_messages"
_INSTRUCTIONS = (Role.SYSTEM, Role.DEVELOPER)

Body = dict[str, Any]


def encoded(request: CompletionRequest, deployment: Deployment) -> bytes:
    """Encode it; a body that came on this wire keeps its unknown fields and its order.

    `max_tokens` is required here, and bounds the hold on the budgets as well.
    """
    raw = request.raw
    body = dict(raw.body) if raw is not None and raw.wire == KIND else _body(request)
    body["model"] = deployment.model
    body["max_tokens"] = output_bound(request, deployment)
    body["stream"] = request.stream
    return orjson.dumps(body)


def _body(request: CompletionRequest) -> Body:
    system = "\n\n".join(m.text for m in request.messages if m.role in _INSTRUCTIONS)
    optional = {
        "system": system or None,
        # Here temperature ends at 1, elsewhere at 2.
        "temperature": None if request.temperature is None else min(request.temperature, 1.0),
        "top_p": request.top_p,
        "stop_sequences": list(request.stop) or None,
        "tools": [_tool(tool) for tool in request.tools] or None,
        "tool_choice": _tool_choice(request.tool_choice) if request.tools else None,
    }
    body: Body = {"messages": _turns(request.messages)}
    body.update((name, value) for name, value in optional.items() if value is not None)
    return body


def _turns(messages: tuple[Message, ...]) -> list[Body]:
    """Join neighbours of one role: results of parallel tools must stand in one user message."""
    turns: list[Body] = []
    for message in messages:
        if message.role in _INSTRUCTIONS:
            continue
        role = "assistant" if message.role is Role.ASSISTANT else "user"
        blocks = [block for part in message.parts for block in _blocks(part)]
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    if not turns:
        raise InvalidRequest("There must be a message besides the system's.", param="messages")
    return turns


def _blocks(part: Part) -> Iterator[Body]:
    match part:
        case Text(text) | Refusal(text):
            # An empty text block is refused.
            if text:
                yield {"type": "text", "text": text}
        case Image() | Audio() | File():
            yield _media(part)
        case Reasoning(text, signature):
            # Unsigned thoughts, of another provider, are refused too.
            if signature is not None:
                yield {"type": "thinking", "thinking": text, "signature": signature}
        case ToolCall(id, name, arguments):
            yield {"type": "tool_use", "id": id, "name": name, "input": _input(arguments)}
        case ToolResult(call_id, content, is_error):
            block = {"type": "tool_result", "tool_use_id": call_id, "content": content}
            yield {**block, "is_error": True} if is_error else block


def _media(part: Image | Audio | File) -> Body:
    if not isinstance(part, Image):
        raise InvalidRequest(f"This provider takes no {part.type} part.", param="messages")
    return {"type": "image", "source": _image_source(part.url)}


def _image_source(url: str) -> Body:
    if not url.startswith("data:"):
        return {"type": "url", "url": url}
    head, _, data = url.removeprefix("data:").partition(",")
    media_type, _, encoding = head.partition(";")
    if encoding != "base64":
        raise InvalidRequest("An image's data URL must be in base64.", param="messages")
    return {"type": "base64", "media_type": media_type, "data": data}


def _input(arguments: str) -> Mapping[str, Any]:
    """Read what the model wrote, which may be malformed; the wire takes an object only."""
    try:
        parsed: object = orjson.loads(arguments or "{}")
    except orjson.JSONDecodeError:
        return {"malformed": arguments}
    return cast("Body", parsed) if isinstance(parsed, dict) else {"value": parsed}


def _tool(tool: Tool) -> Body:
    return {
        "name": tool.name,
        "description": tool.description,
        "input_schema": dict(tool.parameters) or {"type": "object"},
    }


def _tool_choice(choice: str | None) -> Body | None:
    match choice:
        case None:
            return None
        case "required":
            return {"type": "any"}
        case "auto" | "none":
            return {"type": choice}
        case _:
            return {"type": "tool", "name": choice}
