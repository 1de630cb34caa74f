"""A request becomes a Responses body: one flat list of items, thoughts and calls among them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson

from providers.engine.adapters.openai_responses.media import media
from providers.engine.call import output_bound
from providers.engine.provider_options import merge_options
from providers.engine.request import (
    Audio,
    CompletionRequest,
    Effort,
    File,
    Image,
    Message,
    Part,
    Reasoning,
    Refusal,
    ResponseSchema,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from providers.engine.routes import Deployment

KIND = "openai_responses"
# To the others a wish for sealed thoughts is an error.
_THINKS = re.compile(r"(o\d|gpt-[5-9])(?!.*-chat)")

Body = dict[str, Any]


def encoded(request: CompletionRequest, deployment: Deployment) -> bytes:
    """Encode it; nothing is stored there, so that every turn sends the thoughts back itself.

    The wire has neither stop sequences nor a seed: they are left out.
    """
    body: Body = {
        "input": [
            item
            for n, message in enumerate(request.messages)
            for item in _items(message, f"messages.{n}.content")
        ],
        "store": False,
    }
    thinks = _THINKS.match(deployment.model) is not None
    optional = {
        "temperature": request.temperature,
        "top_p": request.top_p,
        "tools": [_tool(tool) for tool in request.tools] or None,
        "tool_choice": _tool_choice(request.tool_choice) if request.tools else None,
        "text": _text(request.response_schema),
        "reasoning": _reasoning(request.effort),
        "include": ["reasoning.encrypted_content"] if thinks else None,
    }
    body.update((name, value) for name, value in optional.items() if value is not None)
    merge_options(body, request, deployment)
    body["model"] = deployment.model
    body["max_output_tokens"] = output_bound(request, deployment)
    body["stream"] = request.stream
    # An answer in the background outlives its connection, and would be paid for unseen.
    body.pop("background", None)
    return orjson.dumps(body)


def _items(message: Message, path: str) -> Iterator[Body]:
    """Spread one message over items; neighbouring content stays one message."""
    content: list[Body] = []
    for place, part in enumerate(message.parts):
        if isinstance(part, Reasoning | ToolCall | ToolResult):
            yield from _message(message.role, content)
            content = []
            yield from _item(part)
        else:
            content += _content(part, f"{path}.{place}", message.role)
    yield from _message(message.role, content)


def _message(role: Role, content: list[Body]) -> Iterator[Body]:
    if not content or role is Role.TOOL:
        return
    # One text stands bare: not every server that speaks this wire takes a list.
    is_text = len(content) == 1 and "text" in content[0]
    yield {"role": str(role), "content": content[0]["text"] if is_text else content}


def _content(part: Part, path: str, role: Role) -> Iterator[Body]:
    match part:
        case Text(text) | Refusal(text):
            kind = "output_text" if role is Role.ASSISTANT else "input_text"
            if text:
                yield {"type": kind, "text": text}
        case Image() | Audio() | File():
            yield media(part, path)
        case _:
            return


def _item(part: Reasoning | ToolCall | ToolResult) -> Iterator[Body]:
    match part:
        case Reasoning(text, signature, id, wire):
            # What another wire sealed nobody can open here, and an open thought is not asked for.
            if signature is not None and wire == KIND:
                summary = [{"type": "summary_text", "text": text}] if text else []
                item: Body = {"type": "reasoning", "summary": summary}
                named = {} if id is None else {"id": id}
                yield {**item, **named, "encrypted_content": signature}
        case ToolCall(id, name, arguments):
            call = {"type": "function_call", "call_id": id, "name": name}
            yield {**call, "arguments": arguments or "{}"}
        case ToolResult(call_id, content):
            yield {"type": "function_call_output", "call_id": call_id, "output": content}


def _tool(tool: Tool) -> Body:
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters) or {"type": "object", "properties": {}},
        "strict": tool.strict,
    }


def _tool_choice(choice: str | None) -> str | Body | None:
    if choice is None or choice in {"auto", "none", "required"}:
        return choice
    return {"type": "function", "name": choice}


def _text(wanted: ResponseSchema | None) -> Body | None:
    if wanted is None:
        return None
    if wanted.schema is None:
        return {"format": {"type": "json_object"}}
    named = {"type": "json_schema", "name": wanted.name, "strict": wanted.strict}
    return {"format": {**named, "schema": wanted.schema}}


def _reasoning(effort: Effort | None) -> Body | None:
    if effort is None:
        return None
    said = {"effort": str(effort)}
    return said if effort is Effort.NONE else {**said, "summary": "auto"}
