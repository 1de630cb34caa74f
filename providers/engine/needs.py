"""What a request needs of a model, and about how large it is."""

from __future__ import annotations

from collections.abc import Mapping

from providers.engine.request import (
    Audio,
    CompletionRequest,
    File,
    Image,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
from providers.engine.routes import Ability, Deployment
from providers.engine.usage import tokens_of

# An image or a page of a file is some hundred to some thousand tokens, whatever its bytes are.
_TOKENS_OF_MEDIUM = 1000
# A limit is reserved for so long an answer where the caller does not bound it.
_TYPICAL_ANSWER = 1024

BY_PART: Mapping[type[Part], Ability] = {
    Image: Ability.VISION,
    Audio: Ability.AUDIO,
    File: Ability.FILES,
}


def needs_of(request: CompletionRequest) -> frozenset[Ability]:
    needs = {
        BY_PART[type(part)]
        for message in request.messages
        for part in message.parts
        if type(part) in BY_PART
    }
    if request.tools:
        needs.add(Ability.TOOLS)
    # An answer in steps is checked here, and a model that lacks schemas is told of it in words.
    if request.response_schema is not None and not request.comes_in_steps:
        needs.add(Ability.JSON)
    return frozenset(needs)


def input_tokens(request: CompletionRequest) -> int:
    """Estimate at four bytes a token: too few for some scripts, so nothing is billed by it."""
    texts = sum(
        len(text.encode())
        for message in request.messages
        for part in message.parts
        for text in texts_of(part)
    )
    tools = sum(
        len(f"{tool.name}{tool.description}{tool.parameters}".encode()) for tool in request.tools
    )
    media = sum(type(part) in BY_PART for message in request.messages for part in message.parts)
    return tokens_of(texts + tools) + media * _TOKENS_OF_MEDIUM


def expected_tokens(request: CompletionRequest, most_output: int) -> int:
    """Estimate prompt and answer together, to be corrected when the answer has come."""
    asked = request.max_output_tokens
    output = min(_TYPICAL_ANSWER if asked is None else asked, most_output)
    return input_tokens(request) + output


def unfit(deployment: Deployment, needs: frozenset[Ability], tokens: int) -> str | None:
    """Say what the deployment lacks for a prompt of so many tokens; None: it fits."""
    missing = sorted(needs & deployment.lacks)
    if missing:
        return f"{deployment.name} cannot take {' and '.join(PLAIN[one] for one in missing)}."
    context = deployment.context_tokens
    if context is not None and tokens > context:
        return f"{deployment.name} takes {context:,} tokens, and the prompt has about {tokens:,}."
    return None


PLAIN: Mapping[Ability, str] = {
    Ability.TOOLS: "tools",
    Ability.VISION: "images",
    Ability.JSON: "a JSON schema",
    Ability.AUDIO: "audio",
    Ability.FILES: "files",
}


def texts_of(part: Part) -> tuple[str, ...]:
    match part:
        case Text(text) | Refusal(text) | Reasoning(text):
            return (text,)
        case ToolCall(_, name, arguments):
            return (name, arguments)
        case ToolResult(_, content):
            return (content,)
        case _:
            return ()
