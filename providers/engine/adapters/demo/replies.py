"""What the demo does with tools and schemas: it calls, it tells, it fills in."""

from __future__ import annotations

import re

import orjson

from providers.engine.adapters.demo import words
from providers.engine.adapters.demo.sample import Sampler
from providers.engine.request import CompletionRequest, Role, Tool, ToolCall, ToolResult

_SUM = re.compile(r"[\d(][\d\s.()*/+-]*[*/+-][\d\s.()*/+-]*[\d)]")


def next_call(request: CompletionRequest) -> ToolCall | None:
    """Call each offered tool once, in order; None: all were called, or none may be."""
    if request.tool_choice == "none":
        return None
    results = _results(request)
    named = [tool for tool in request.tools if tool.name == request.tool_choice]
    waiting = (named or request.tools)[len(results) :]
    if not waiting:
        return None
    return ToolCall(
        id=f"call_{request.id.hex[-12:]}_{len(results)}",
        name=waiting[0].name,
        arguments=_arguments(waiting[0], request),
    )


def about_results(request: CompletionRequest) -> str:
    """Say what came back, or that there was nothing to call."""
    results = _results(request)
    if not results:
        return "I am the demo model that calls tools, and I was offered none."
    told = "\n".join(
        f"{place}. {'It failed: ' if result.is_error else ''}{result.content[:500]}"
        for place, result in enumerate(results, start=1)
    )
    return f"The tools have answered:\n\n{told}\n\nThat is all that the demo makes of it."


def json_answer(request: CompletionRequest) -> str:
    wanted = request.response_schema
    topic = words.topic_of(words.last_question(request.messages))
    if wanted is None or wanted.schema is None:
        return orjson.dumps({"topic": topic, "written_by": "demo"}).decode()
    return orjson.dumps(Sampler(wanted.schema, topic).value()).decode()


def _results(request: CompletionRequest) -> list[ToolResult]:
    """Take those since the last question."""
    found: list[ToolResult] = []
    for message in reversed(request.messages):
        parts = [part for part in message.parts if isinstance(part, ToolResult)]
        if message.role is Role.USER and not parts:
            break
        found = parts + found
    return found


def _arguments(tool: Tool, request: CompletionRequest) -> str:
    question = words.last_question(request.messages)
    arguments = Sampler(tool.parameters, words.topic_of(question)).value()
    found = _SUM.search(question)
    if isinstance(arguments, dict) and "expression" in arguments:
        arguments["expression"] = found.group() if found else "6 * 7"
    return orjson.dumps(arguments).decode()
