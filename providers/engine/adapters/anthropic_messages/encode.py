"""A request becomes a Messages body."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from providers.engine.adapters.anthropic_messages.media import media
from providers.engine.adapters.anthropic_messages.models import Model
from providers.engine.adapters.anthropic_messages.schema import closed
from providers.engine.adapters.anthropic_messages.thinking import thinking
from providers.engine.bounds import MOST_SEARCHES, is_search
from providers.engine.call import output_bound
from providers.engine.errors import InvalidRequest
from providers.engine.json_fields import arguments, objects
from providers.engine.provider_options import merge_options
from providers.engine.request import (
    Audio,
    CompletionRequest,
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
from providers.engine.structured import instructions

KIND = "anthropic_messages"
_INSTRUCTIONS = (Role.SYSTEM, Role.DEVELOPER)

Body = dict[str, Any]


def encoded(request: CompletionRequest, deployment: Deployment) -> bytes:
    """Encode it; a body that came on this wire keeps its unknown fields and its order.

    `max_tokens` is required here, and bounds the hold on the budgets as well. A seed is a hint that
    this wire does not have. Raises InvalidRequest where it or the model cannot take what is asked.
    """
    raw = request.raw
    is_own = raw is not None and raw.wire == KIND
    body = dict(raw.body) if raw is not None and is_own else _body(request, deployment)
    merge_options(body, request, deployment)
    body["model"] = deployment.model
    body["max_tokens"] = output_bound(request, deployment)
    body["stream"] = request.stream
    if "tools" in body:
        body["tools"] = [_bounded(tool) for tool in objects(body["tools"])]
    return orjson.dumps(body)


def _body(request: CompletionRequest, deployment: Deployment) -> Body:
    model = Model.of(deployment.model)
    said = [m.text for m in request.messages if m.role in _INSTRUCTIONS]
    wanted = request.response_schema
    if wanted is not None and wanted.schema is None:
        said.append(instructions(wanted))
    system = "\n\n".join(said)
    thought = thinking(request, model, output_bound(request, deployment))
    config = {**thought.get("output_config", {}), **_format(request.response_schema, deployment)}
    optional = {
        "system": system or None,
        **_sampling(request, model, deployment),
        "stop_sequences": list(request.stop) or None,
        "tools": [_tool(tool) for tool in request.tools] or None,
        "tool_choice": _tool_choice(request, model),
        "thinking": thought.get("thinking"),
        "output_config": config or None,
    }
    body: Body = {"messages": _turns(request.messages)}
    body.update((name, value) for name, value in optional.items() if value is not None)
    return body


def _sampling(request: CompletionRequest, model: Model, deployment: Deployment) -> Body:
    """Cap the temperature: it ends at 1 here, elsewhere at 2. Unsaid it is 1."""
    temperature = None if request.temperature is None else min(request.temperature, 1.0)
    wanted = {"temperature": temperature, "top_p": request.top_p}
    if model.has_sampling:
        return wanted
    for name, value in wanted.items():
        if value not in {None, 1.0}:
            raise InvalidRequest(
                f"{deployment.model} takes no {name}; leave it out, or choose another model.",
                param=name,
            )
    return {}


def _format(wanted: ResponseSchema | None, deployment: Deployment) -> Body:
    """Ask for JSON natively. Source: Anthropic, "Structured outputs": `output_config.format`."""
    if wanted is None:
        return {}
    if wanted.schema is None:
        # There is no mode for any object at all; the system prompt asks for it.
        return {}
    if not Model.of(deployment.model).answers_to_schema:
        raise InvalidRequest(
            f"{deployment.model} cannot be held to a JSON schema. Ask for the answer as a call of "
            "a tool, or choose a newer model.",
            param="response_format",
        )
    return {"format": {"type": "json_schema", "schema": closed(wanted.schema)}}


def _turns(messages: tuple[Message, ...]) -> list[Body]:
    """Join neighbours of one role: results of parallel tools must stand in one user message."""
    turns: list[Body] = []
    for place, message in enumerate(messages):
        if message.role in _INSTRUCTIONS:
            continue
        role = "assistant" if message.role is Role.ASSISTANT else "user"
        blocks = [
            block
            for number, part in enumerate(message.parts)
            for block in _blocks(part, f"messages.{place}.content.{number}")
        ]
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    if not turns:
        raise InvalidRequest("There must be a message besides the system's.", param="messages")
    return turns


def _blocks(part: Part, path: str) -> Iterator[Body]:
    match part:
        case Text(text) | Refusal(text):
            # An empty text block is refused.
            if text:
                yield {"type": "text", "text": text}
        case Image() | Audio() | File():
            yield media(part, path)
        case Reasoning():
            yield from _thought(part)
        case ToolCall(id, name, written):
            yield {"type": "tool_use", "id": id, "name": name, "input": arguments(written)}
        case ToolResult(call_id, content, is_error):
            block = {"type": "tool_result", "tool_use_id": call_id, "content": content}
            yield {**block, "is_error": True} if is_error else block


def _thought(part: Reasoning) -> Iterator[Body]:
    """Show the model its own sealed thoughts; those of others, and unsealed ones, are refused."""
    if part.signature is None or part.wire not in {None, KIND}:
        return
    if part.is_redacted and not part.text:
        yield {"type": "redacted_thinking", "data": part.signature}
    else:
        yield {"type": "thinking", "thinking": part.text, "signature": part.signature}


def _tool(tool: Tool) -> Body:
    schema = dict(tool.parameters) or {"type": "object"}
    made: Body = {"name": tool.name, "description": tool.description, "input_schema": schema}
    return {**made, "input_schema": closed(schema), "strict": True} if tool.strict else made


def _bounded(tool: Body) -> Body:
    """Bound the searches of a server's tool: the hold on the budgets is for so many."""
    if not is_search(tool) or isinstance(tool.get("max_uses"), int):
        return tool
    return {**tool, "max_uses": MOST_SEARCHES}


def _tool_choice(request: CompletionRequest, model: Model) -> Body | None:
    choice = request.tool_choice if request.tools else None
    if choice is None or choice in {"auto", "none"}:
        return None if choice is None else {"type": choice}
    if not model.can_be_forced:
        raise InvalidRequest(
            "This model cannot be made to call a tool; let it choose, or take another model.",
            param="tool_choice",
        )
    return {"type": "any"} if choice == "required" else {"type": "tool", "name": choice}
