"""A request becomes a Chat Completions body."""

from __future__ import annotations

from typing import Any, cast

import orjson

from providers.engine.adapters.openai_chat.messages import KIND, entries
from providers.engine.adapters.openai_chat.quirks import Quirks
from providers.engine.call import output_bound
from providers.engine.errors import InvalidRequest
from providers.engine.provider_options import merge_options
from providers.engine.request import CompletionRequest, Effort, ResponseSchema, Tool
from providers.engine.routes import Deployment

# Newest name of the same limit, and the only one that OpenAI's reasoning models take.
_LIMITS = ("max_completion_tokens", "max_tokens")

Body = dict[str, Any]


def encoded(request: CompletionRequest, deployment: Deployment) -> bytes:
    """Encode it; a body that came on this wire keeps its unknown fields.

    The output is always bounded, because the hold on the budgets is. Raises InvalidRequest where
    this wire, or this server as its quirks tell, cannot take what is asked.
    """
    raw = request.raw
    quirks = Quirks.of(deployment.options)
    is_own = raw is not None and raw.wire == KIND
    body = dict(raw.body) if raw is not None and is_own else _body(request, deployment, quirks)
    merge_options(body, request, deployment)
    body["model"] = deployment.model
    body[_limit_field(body, quirks)] = output_bound(request, deployment)
    body["stream"] = request.stream
    if "n" in body:
        # The hold on the budgets is for so many.
        body["n"] = request.choices
    asked = body.pop("stream_options", None)
    if request.stream and quirks.stream_options != "off":
        others = cast("Body", asked) if isinstance(asked, dict) else {}
        body["stream_options"] = {**others, "include_usage": True}
    return orjson.dumps(body)


def _limit_field(body: Body, quirks: Quirks) -> str:
    """Choose one of the two names and take the other out: OpenAI refuses both at once."""
    given = next((field for field in _LIMITS if body.get(field) is not None), "max_tokens")
    for field in _LIMITS:
        body.pop(field, None)
    return quirks.max_tokens_field or given


def _body(request: CompletionRequest, deployment: Deployment, quirks: Quirks) -> Body:
    body: Body = {
        "messages": [
            entry
            for place, message in enumerate(request.messages)
            for entry in entries(message, f"messages.{place}", quirks)
        ]
    }
    optional = {
        "temperature": request.temperature,
        "top_p": request.top_p,
        "stop": list(request.stop) or None,
        quirks.seed_field: request.seed,
        **_tools(request, quirks),
        "response_format": _response_format(request.response_schema, deployment, quirks),
        **_effort(request.effort, quirks),
    }
    body.update((name, value) for name, value in optional.items() if value is not None)
    return body


def _tools(request: CompletionRequest, quirks: Quirks) -> Body:
    """Where no tool can be named, sending only that one and requiring a call says the same."""
    choice, tools = request.tool_choice, request.tools
    is_named = choice is not None and choice not in {"auto", "none", "required"}
    if is_named and quirks.tool_choice == "unnamed":
        tools = tuple(tool for tool in tools if tool.name == choice)
        choice = "required"
    return {
        "tools": [_tool(tool) for tool in tools] or None,
        "tool_choice": _tool_choice(choice),
    }


def _tool(tool: Tool) -> Body:
    function: Body = {
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters),
    }
    if tool.strict:
        function["strict"] = True
    return {"type": "function", "function": function}


def _tool_choice(choice: str | None) -> str | Body | None:
    if choice is None or choice in {"auto", "none", "required"}:
        return choice
    return {"type": "function", "function": {"name": choice}}


def _response_format(
    wanted: ResponseSchema | None, deployment: Deployment, quirks: Quirks
) -> Body | None:
    if wanted is None:
        return None
    schema = wanted.schema
    if schema is None and quirks.json != "schema":
        return {"type": "json_object"}
    if quirks.json == "object":
        raise InvalidRequest(
            f"{deployment.name} answers in JSON, but not to a schema. Leave the schema out, or ask "
            "for the answer as a call of a tool.",
            param="response_format",
        )
    named: Body = {"name": wanted.name, "schema": {"type": "object"}}
    if schema is not None:
        named = {"name": wanted.name, "schema": dict(schema), "strict": wanted.strict}
    return {"type": "json_schema", "json_schema": named}


def _effort(wanted: Effort | None, quirks: Quirks) -> Body:
    if wanted is None:
        return {}
    if wanted is Effort.NONE and quirks.effort_none == "thinking_disabled":
        return {"thinking": {"type": "disabled"}}
    level = quirks.nearest(wanted)
    if quirks.effort_field == "reasoning":
        return {"reasoning": {"effort": level}}
    return {quirks.effort_field: level}
