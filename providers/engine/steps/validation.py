"""Refuse what no deployment could answer; the message names the field and the number."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from providers.engine.call import Call, Source, Stream, input_bytes
from providers.engine.errors import InvalidRequest
from providers.engine.ports import Open
from providers.engine.request import CompletionRequest, Image, Message, Role, Text, ToolResult

# A user's part may be anything but what only a model or a tool writes.
_USER_PARTS = (Text, Image, ToolResult)


@dataclass(frozen=True, slots=True)
class Validation:
    """Sizes in bytes of UTF-8; `most_bytes` counts the whole prompt, images and tools included."""

    most_messages: int = 2_000
    most_bytes: int = 20_000_000
    most_stops: int = 16
    most_tools: int = 256
    allows_tools: bool = True
    allows_streaming: bool = True

    @asynccontextmanager
    async def open(self, call: Call, open_next: Open[Call]) -> AsyncGenerator[Stream]:
        self.check(call.request)
        self._check_switches(call)
        async with open_next(call) as stream:
            yield stream

    def check(self, request: CompletionRequest) -> None:
        self._check_messages(request.messages)
        size = input_bytes(request)
        if size > self.most_bytes:
            raise InvalidRequest(
                f"The prompt has {size:,} bytes; at most {self.most_bytes:,} are allowed.",
                param="messages",
            )
        _check_parameters(request)
        _check_count("stop", len(request.stop), self.most_stops)
        _check_count("tools", len(request.tools) + len(request.hosted_tools), self.most_tools)
        _check_tool_choice(request)

    def _check_switches(self, call: Call) -> None:
        if _offers_tools(call.request) and not self.allows_tools:
            raise InvalidRequest("Tools are switched off here; leave them out.", param="tools")
        # The playground's own page always streams: it is callers who may not ask for it.
        is_asked = call.request.stream and call.caller.source is Source.GATEWAY
        if is_asked and not self.allows_streaming:
            raise InvalidRequest("Streaming is switched off here; ask without.", param="stream")

    def _check_messages(self, messages: tuple[Message, ...]) -> None:
        if not messages:
            raise InvalidRequest("There must be at least one message.", param="messages")
        _check_count("messages", len(messages), self.most_messages)
        for place, message in enumerate(messages):
            _check_message(message, f"messages.{place}")


def _offers_tools(request: CompletionRequest) -> bool:
    return bool(request.tools or request.hosted_tools)


def _check_message(message: Message, path: str) -> None:
    if not message.parts and message.role is not Role.ASSISTANT:
        raise InvalidRequest(f"The {message.role} message is empty.", param=f"{path}.content")
    if message.role is not Role.USER:
        return
    for place, part in enumerate(message.parts):
        if not isinstance(part, _USER_PARTS):
            raise InvalidRequest(
                f"A user message cannot hold a {type(part).__name__} part.",
                param=f"{path}.content.{place}",
            )


def _check_count(param: str, count: int, most: int) -> None:
    if count > most:
        raise InvalidRequest(
            f"{param} has {count:,} entries; at most {most:,} are allowed.", param=param
        )


def _check_parameters(request: CompletionRequest) -> None:
    _check_range("temperature", request.temperature, 0, 2)
    _check_range("top_p", request.top_p, 0, 1)
    if request.max_output_tokens is not None and request.max_output_tokens < 1:
        raise InvalidRequest("max_tokens must be at least 1.", param="max_tokens")
    if request.choices != 1:
        raise InvalidRequest("Only one choice is supported: n must be 1.", param="n")


def _check_range(param: str, value: float | None, least: float, most: float) -> None:
    # Written so that not-a-number is refused too.
    if value is not None and not least <= value <= most:
        raise InvalidRequest(
            f"{param} is {value}; it must be within {least} and {most}.", param=param
        )


def _check_tool_choice(request: CompletionRequest) -> None:
    choice = request.tool_choice
    if choice is None or choice in {"auto", "none"}:
        return
    if choice == "required":
        if not _offers_tools(request):
            raise InvalidRequest(
                "tool_choice is required, but there are no tools.", param="tool_choice"
            )
        return
    if choice not in {*request.hosted_tools, *(tool.name for tool in request.tools)}:
        raise InvalidRequest(
            f"tool_choice names {choice!r}, which is not among the tools.", param="tool_choice"
        )
