"""A request becomes a `generateContent` body."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from providers.engine.adapters.gemini.media import media
from providers.engine.adapters.gemini.thinking import is_third_generation, thinking_config
from providers.engine.call import output_bound
from providers.engine.errors import InvalidRequest
from providers.engine.json_fields import arguments, inner, object_of
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
    Role,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from providers.engine.routes import Deployment

KIND = "gemini"
_INSTRUCTIONS = (Role.SYSTEM, Role.DEVELOPER)
# Base64 of `skip_thought_signature_validator`: what a history of another model is told by.
# Source: Google, "Thought signatures", frequently asked questions.
_NO_SEAL = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="

Body = dict[str, Any]


def encoded(request: CompletionRequest, deployment: Deployment) -> bytes:
    body: Body = {
        "contents": _contents(request.messages, seals=is_third_generation(deployment.model)),
        "generationConfig": _config(request, deployment),
    }
    optional = {
        "systemInstruction": _instruction(request.messages),
        "tools": [{"functionDeclarations": [_tool(tool) for tool in request.tools]}]
        if request.tools
        else None,
        "toolConfig": _tool_config(request.tool_choice) if request.tools else None,
    }
    body.update((name, value) for name, value in optional.items() if value is not None)
    merge_options(body, request, deployment)
    # After the options: the hold on the budgets is for one candidate of this length.
    config = inner(body, "generationConfig")
    config.pop("candidateCount", None)
    body["generationConfig"] = {**config, "maxOutputTokens": output_bound(request, deployment)}
    return orjson.dumps(body)


def _config(request: CompletionRequest, deployment: Deployment) -> Body:
    wanted = request.response_schema
    optional = {
        "temperature": request.temperature,
        "topP": request.top_p,
        "stopSequences": list(request.stop) or None,
        "seed": request.seed,
        "responseMimeType": "application/json" if wanted is not None else None,
        "responseJsonSchema": wanted.schema if wanted is not None else None,
        "thinkingConfig": thinking_config(request.effort, deployment.model),
    }
    return {name: value for name, value in optional.items() if value is not None}


def _instruction(messages: tuple[Message, ...]) -> Body | None:
    parts = [{"text": m.text} for m in messages if m.role in _INSTRUCTIONS and m.text]
    return {"parts": parts} if parts else None


def _contents(messages: tuple[Message, ...], *, seals: bool) -> list[Body]:
    """Join neighbours of one role: results of parallel calls must stand in one content."""
    names = {part.id: part.name for m in messages for part in m.parts if isinstance(part, ToolCall)}
    contents: list[Body] = []
    for n, message in enumerate(messages):
        if message.role in _INSTRUCTIONS:
            continue
        role = "model" if message.role is Role.ASSISTANT else "user"
        parts = [
            made
            for place, part in enumerate(message.parts)
            for made in _parts(part, f"messages.{n}.content.{place}", names)
        ]
        if seals:
            _seal_first_call(parts)
        if contents and contents[-1]["role"] == role:
            contents[-1]["parts"] += parts
        elif parts:
            contents.append({"role": role, "parts": parts})
    if not contents:
        raise InvalidRequest("There must be a message besides the system's.", param="messages")
    return contents


def _parts(part: Part, path: str, names: dict[str, str]) -> Iterator[Body]:
    match part:
        case Text(text) | Refusal(text):
            if text:
                yield {"text": text}
        case Image() | Audio() | File():
            yield media(part, path)
        case Reasoning(text, signature, wire=wire):
            # An unsealed thought tells the model nothing, and one of another wire is not its own.
            if signature is not None and wire == KIND:
                sealed: Body = {"text": text, "thoughtSignature": signature}
                yield {**sealed, "thought": True} if text else sealed
        case ToolCall(id, name, written, signature):
            called: Body = {"functionCall": {"id": id, "name": name, "args": arguments(written)}}
            yield called if signature is None else {**called, "thoughtSignature": signature}
        case ToolResult(call_id, content, is_error, name):
            # The wire takes an object; anything else is put under a name.
            answer = {"error": content} if is_error else object_of(content) or {"result": content}
            named = name or names.get(call_id) or call_id
            yield {"functionResponse": {"id": call_id, "name": named, "response": answer}}


def _seal_first_call(parts: list[Body]) -> None:
    """Newer models refuse a call without its seal, also one that another model made.

    Of parallel calls only the first has one.
    """
    calls = [part for part in parts if "functionCall" in part]
    if calls and not any("thoughtSignature" in part for part in calls):
        calls[0]["thoughtSignature"] = _NO_SEAL


def _tool(tool: Tool) -> Body:
    declared: Body = {"name": tool.name, "description": tool.description}
    return (
        {**declared, "parametersJsonSchema": dict(tool.parameters)} if tool.parameters else declared
    )


def _tool_config(choice: str | None) -> Body | None:
    match choice:
        case None:
            return None
        case "auto" | "none":
            config: Body = {"mode": choice.upper()}
        case "required":
            config = {"mode": "ANY"}
        case _:
            config = {"mode": "ANY", "allowedFunctionNames": [choice]}
    return {"functionCallingConfig": config}
