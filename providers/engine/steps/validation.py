"""Refuse what no deployment could answer; the message names the path, the number, the way out."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from providers.engine import media
from providers.engine.call import Call, Source, Stream, input_bytes
from providers.engine.errors import (
    InvalidRequest,
    InvalidRole,
    TextTooLong,
    TooManyMessages,
    UnsupportedPart,
)
from providers.engine.needs import BY_PART, texts_of, unfit
from providers.engine.ports import Open
from providers.engine.ranges import WIDEST, temperatures
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
    ToolCall,
    ToolResult,
)
from providers.engine.routes import Route
from providers.engine.usage import tokens_of

# Nobody may put words into a model's or a tool's mouth where they would count as its own.
_PARTS: Mapping[Role, tuple[type[Part], ...]] = {
    Role.SYSTEM: (Text,),
    Role.DEVELOPER: (Text,),
    Role.USER: (Text, Image, Audio, File, ToolResult),
    Role.ASSISTANT: (Text, Reasoning, Refusal, ToolCall),
    Role.TOOL: (ToolResult,),
}


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of text, a message's and the prompt's. Tokens are estimated at four bytes each.

    `attachment_bytes`: of one attachment, decoded. `bytes` counts the whole prompt in UTF-8,
    attachments and tools included.
    """

    messages: int = 2_000
    message_characters: int = 4_000_000
    characters: int = 8_000_000
    message_tokens: int = 1_000_000
    tokens: int = 2_000_000
    attachment_bytes: int = 15_000_000
    bytes: int = 20_000_000
    stops: int = 16
    tools: int = 256


@dataclass(frozen=True, slots=True)
class Validation:
    """`roles` are those that callers may use."""

    most: Sizes = Sizes()
    roles: frozenset[Role] = frozenset(Role)
    allows_tools: bool = True
    allows_streaming: bool = True

    def open(self, call: Call, open_next: Open[Call]) -> AbstractAsyncContextManager[Stream]:
        self.check(call.request, call.route)
        self._check_switches(call)
        return open_next(call)

    def check(self, request: CompletionRequest, route: Route) -> None:
        """Raise InvalidRequest, or one of its kinds."""
        self._check_messages(request.messages)
        self._check_parts(request.messages, route)
        self._check_texts(request.messages)
        size = input_bytes(request)
        if size > self.most.bytes:
            raise TextTooLong(
                f"The prompt has {size:,} bytes; at most {self.most.bytes:,} are allowed. Leave "
                "earlier messages or attachments out.",
                param="messages",
            )
        _check_parameters(request, route)
        _check_count("stop", len(request.stop), self.most.stops)
        _check_count("tools", len(request.tools) + len(request.hosted_tools), self.most.tools)
        _check_tool_choice(request)
        _check_idempotency_key(request)

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
        if len(messages) > self.most.messages:
            raise TooManyMessages(
                f"There are {len(messages):,} messages; at most {self.most.messages:,} are "
                "allowed. Leave the oldest out.",
                param="messages",
            )
        for n, message in enumerate(messages):
            if message.role not in self.roles:
                known = ", ".join(role for role in Role if role in self.roles)
                raise InvalidRole(
                    f"messages.{n} has the role {message.role}; allowed are {known}.",
                    param=f"messages.{n}.role",
                )
            if not message.parts and message.role is not Role.ASSISTANT:
                path = f"messages.{n}.content"
                raise InvalidRequest(f"{path} of the {message.role} is empty.", param=path)

    def _check_parts(self, messages: tuple[Message, ...], route: Route) -> None:
        for n, message in enumerate(messages):
            for m, part in enumerate(message.parts):
                path = f"messages.{n}.content.{m}"
                if not isinstance(part, _PARTS[message.role]):
                    raise UnsupportedPart(
                        f"{path}: a {message.role} message cannot hold a {part.type} part.",
                        param=path,
                    )
                if isinstance(part, Image | Audio | File):
                    _check_is_taken(part, path, route)
                    media.check(part, path, self.most.attachment_bytes)

    def _check_texts(self, messages: tuple[Message, ...]) -> None:
        characters = size = 0
        for n, message in enumerate(messages):
            texts = [text for part in message.parts for text in texts_of(part)]
            length = sum(map(len, texts))
            in_bytes = sum(len(text) if text.isascii() else len(text.encode()) for text in texts)
            self._check_length(f"messages.{n}", length, self.most.message_characters)
            self._check_tokens(f"messages.{n}", in_bytes, self.most.message_tokens)
            characters += length
            size += in_bytes
        self._check_length("messages", characters, self.most.characters)
        self._check_tokens("messages", size, self.most.tokens)

    def _check_length(self, path: str, length: int, most: int) -> None:
        if length > most:
            raise _too_long(path, f"{length:,} characters", most)

    def _check_tokens(self, path: str, in_bytes: int, most: int) -> None:
        tokens = tokens_of(in_bytes)
        if tokens > most:
            raise _too_long(path, f"about {tokens:,} tokens", most)


def _too_long(path: str, size: str, most: int) -> TextTooLong:
    way_out = "Leave earlier messages out." if path == "messages" else "Shorten it."
    has = "have" if path == "messages" else "has"
    return TextTooLong(f"{path} {has} {size}; at most {most:,} are allowed. {way_out}", param=path)


def _offers_tools(request: CompletionRequest) -> bool:
    return bool(request.tools or request.hosted_tools)


def _check_is_taken(part: Part, path: str, route: Route) -> None:
    ability = BY_PART[type(part)]
    causes = [unfit(each, frozenset({ability}), 0) for each in route.deployments]
    if all(causes):
        told = " ".join(filter(None, causes))
        raise UnsupportedPart(f"{path}: {told} Leave it out, or choose another model.", param=path)


def _check_count(param: str, count: int, most: int) -> None:
    if count > most:
        raise InvalidRequest(
            f"{param} has {count:,} entries; at most {most:,} are allowed.", param=param
        )


def _check_parameters(request: CompletionRequest, route: Route) -> None:
    _check_range("temperature", request.temperature, *WIDEST)
    _check_temperature(request.temperature, route)
    _check_range("top_p", request.top_p, 0, 1)
    if request.max_output_tokens is not None and request.max_output_tokens < 1:
        raise InvalidRequest("max_tokens must be at least 1.", param="max_tokens")
    if request.choices != 1:
        raise InvalidRequest("Only one choice is supported: n must be 1.", param="n")


def _check_range(param: str, value: float | None, least: float, most: float) -> None:
    # Written so that not-a-number is refused too.
    if value is not None and not least <= value <= most:
        raise InvalidRequest(
            f"{param} is {value}; it must be within {least:g} and {most:g}.", param=param
        )


def _check_temperature(value: float | None, route: Route) -> None:
    """Refuse it where no deployment of the route takes it; else those that do may answer."""
    if value is None:
        return
    ranges = [(each.name, *temperatures(each)) for each in route.deployments]
    if any(least <= value <= most for _, least, most in ranges):
        return
    name, least, most = ranges[0]
    takes = f"only {least:g}" if least == most else f"{least:g} to {most:g}"
    raise InvalidRequest(
        f"temperature is {value:g}, and {name} takes {takes}. Change it, or leave it out.",
        param="temperature",
    )


def _check_idempotency_key(request: CompletionRequest) -> None:
    if request.idempotency_key is not None and request.stream:
        raise InvalidRequest(
            "An idempotency key is for a whole answer; a stream is not kept. Ask without a stream, "
            "or leave the key out.",
            param="idempotency-key",
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
