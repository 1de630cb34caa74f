"""Ask a model for JSON that has no schemas of its own: by a tool where it can, else in words."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, replace

from providers.engine import structured
from providers.engine.call import Attempt, Stream, StructuredBy
from providers.engine.events import (
    Event,
    Finish,
    FinishReason,
    TextDelta,
    ToolCallDelta,
    ToolCalled,
)
from providers.engine.ports import Open
from providers.engine.request import CompletionRequest, Message, ResponseSchema, Role, Tool
from providers.engine.routes import Ability


@dataclass(frozen=True, slots=True)
class Structured:
    """Acts only where the answer is checked afterwards; a caller's own wire stays as it is."""

    def open(
        self, attempt: Attempt, open_next: Open[Attempt]
    ) -> AbstractAsyncContextManager[Stream]:
        wanted, way = attempt.call.request.response_schema, _way(attempt)
        if wanted is None or way is StructuredBy.NATIVE:
            return open_next(attempt)
        return self._open(attempt, wanted, way, open_next)

    @asynccontextmanager
    async def _open(
        self,
        attempt: Attempt,
        wanted: ResponseSchema,
        way: StructuredBy,
        open_next: Open[Attempt],
    ) -> AsyncGenerator[Stream]:
        call = attempt.call
        told = _by_tool if way is StructuredBy.TOOL else _in_words
        converted = replace(call, request=told(call.request, wanted))
        async with open_next(replace(attempt, call=converted)) as stream:
            stream.record.structured_by = way
            if way is StructuredBy.PROMPT:
                yield stream
                return
            async with aclosing(_as_text(stream)) as events:
                yield Stream(stream.deployment, stream.record, events)


def _way(attempt: Attempt) -> StructuredBy:
    request, lacks = attempt.call.request, attempt.deployment.lacks
    is_asked = request.response_schema is not None and request.comes_in_steps
    if not is_asked or Ability.JSON not in lacks:
        return StructuredBy.NATIVE
    # A tool that must be called would keep the model from calling the others.
    can_call = Ability.TOOLS not in lacks and not request.tools
    return StructuredBy.TOOL if can_call and _is_object(request) else StructuredBy.PROMPT


def _is_object(request: CompletionRequest) -> bool:
    """Tell whether the schema can be that of a tool's arguments."""
    wanted = request.response_schema
    return wanted is not None and (wanted.schema or {}).get("type") == "object"


def _by_tool(request: CompletionRequest, wanted: ResponseSchema) -> CompletionRequest:
    tool = Tool(wanted.name, "Give the answer by calling this.", wanted.schema or {})
    return replace(request, response_schema=None, tools=(tool,), tool_choice=tool.name)


def _in_words(request: CompletionRequest, wanted: ResponseSchema) -> CompletionRequest:
    """Put it behind the system prompt: some wires take instructions in the beginning only."""
    words = structured.instructions(wanted)
    first = request.messages[0]
    if first.role in {Role.SYSTEM, Role.DEVELOPER}:
        told = Message.of(first.role, f"{first.text}\n\n{words}")
        messages = (told, *request.messages[1:])
    else:
        messages = (Message.of(Role.SYSTEM, words), *request.messages)
    return replace(request, response_schema=None, messages=messages)


async def _as_text(stream: Stream) -> AsyncGenerator[Event, None]:
    """Read the arguments of the call as the answer; what is said beside it is not the answer."""
    beside: list[Event] = []
    was_called = streamed = False
    async for event in stream.events:
        match event:
            case ToolCallDelta(arguments=arguments):
                streamed = True
                yield TextDelta(arguments)
            case ToolCalled(_, call):
                was_called = True
                if not streamed:
                    yield TextDelta(call.arguments)
            case TextDelta(is_refusal=False):
                beside.append(event)
            case Finish(reason):
                for said in () if was_called else beside:
                    yield said
                is_end = reason is FinishReason.TOOL_CALLS
                yield Finish(FinishReason.STOP) if is_end else event
            case _:
                yield event
