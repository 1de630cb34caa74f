"""`generateContent` answers, streamed or plain, become events."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from uuid import UUID

import orjson

from providers.engine.adapters.gemini.encode import KIND
from providers.engine.adapters.gemini.errors import error_in
from providers.engine.adapters.gemini.grounding import Grounding
from providers.engine.adapters.gemini.thinking import is_third_generation
from providers.engine.call import Attempt
from providers.engine.errors import (
    ContentBlocked,
    StreamCut,
    UpstreamGarbled,
    UpstreamUnavailable,
)
from providers.engine.events import (
    Event,
    Finish,
    FinishReason,
    ReasoningDelta,
    Safety,
    TextDelta,
    ToolCallDelta,
    ToolCalled,
    UsageReported,
)
from providers.engine.json_fields import Fields, count, inner, objects, parsed, text
from providers.engine.request import Reasoning, ToolCall
from providers.engine.routes import Deployment
from providers.engine.sse import SSEParser
from providers.engine.upstream import Incoming
from providers.engine.usage import Usage

# Source: Google, generateContent reference, `FinishReason`.
_BLOCKS = frozenset({
    "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII",
    "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION",
})  # fmt: skip
_MALFORMED = frozenset({
    "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS",
    "MALFORMED_RESPONSE", "MISSING_THOUGHT_SIGNATURE",
})  # fmt: skip


async def stream_events(
    attempt: Attempt, incoming: Incoming, secret: str | None
) -> AsyncGenerator[Event, None]:
    """Raise StreamCut where the stream closes and no piece of it has named a finish reason.

    There is no terminal event, and older models name a reason in every piece: the last counts.
    """
    parser = SSEParser()
    answer = _Answer(attempt, incoming, secret)
    async for chunk in incoming.body:
        for frame in parser.feed(chunk):
            for event in answer.take(frame.data):
                yield event
    last = parser.end()
    for event in answer.take(last.data) if last is not None else ():
        yield event
    if not answer.has_ended:
        raise StreamCut(
            f"{attempt.deployment.name} closed the stream before the end of its answer."
        )
    for event in answer.end():
        yield event


async def plain_events(
    attempt: Attempt, incoming: Incoming, secret: str | None
) -> AsyncGenerator[Event, None]:
    answer = _Answer(attempt, incoming, secret)
    for event in answer.take(await incoming.read()):
        yield event
    if not answer.has_ended:
        raise UpstreamGarbled(f"{attempt.deployment.name} sent an answer without an end.")
    for event in answer.end():
        yield event


def models_in(deployment: Deployment, body: bytes) -> int:
    listed = parsed(body, deployment.name)
    if not isinstance(listed.get("models"), list):
        raise UpstreamGarbled(f"{deployment.name} did not answer with a list of models.")
    return len(objects(listed["models"]))


class _Answer:
    """What has come of one answer. A plain answer is read as a stream of one piece."""

    def __init__(self, attempt: Attempt, incoming: Incoming, secret: str | None) -> None:
        self._deployment = attempt.deployment
        self._incoming = incoming
        self._secret = secret
        self._request_id: UUID = attempt.call.id
        self._calls: list[ToolCalled] = []
        self._grounding = Grounding()
        self._reason = ""

    @property
    def has_ended(self) -> bool:
        return bool(self._reason)

    def take(self, data: bytes) -> Iterator[Event]:
        piece = parsed(data, self._deployment.name)
        if piece.get("error"):
            raise error_in(self._deployment, piece, self._incoming, self._secret)
        blocked = text(inner(piece, "promptFeedback"), "blockReason")
        if blocked:
            raise ContentBlocked(f"{self._deployment.name} blocked the prompt: {blocked}.")
        # One candidate is asked for, so that there is one.
        for candidate in objects(piece.get("candidates"))[:1]:
            self._reason = text(candidate, "finishReason") or self._reason
            for part in objects(inner(candidate, "content").get("parts")):
                yield from self._take_part(part)
            self._grounding.take(inner(candidate, "groundingMetadata"))
            yield from _blocked_ratings(candidate)
        usage = inner(piece, "usageMetadata")
        if usage:
            yield UsageReported(_usage(usage, self._searches))

    def end(self) -> Iterator[Event]:
        """Raise where the model broke off without saying why, or wrote what nobody can run."""
        name = self._deployment.name
        if self._reason in _MALFORMED:
            raise UpstreamGarbled(f"{name} ended with a tool call that cannot be run.")
        if self._reason == "OTHER":
            raise UpstreamUnavailable(f"{name} broke off and did not say why.")
        yield from self._calls
        citations = self._grounding.citations()
        if citations is not None:
            yield citations
        if self._reason in _BLOCKS:
            yield Safety(self._reason.lower(), "The provider's filter ended the answer.", True)  # noqa: FBT003 - the field's name says it
            yield Finish(FinishReason.CONTENT_FILTER)
        elif self._reason == "MAX_TOKENS":
            yield Finish(FinishReason.LENGTH)
        else:
            yield Finish(FinishReason.TOOL_CALLS if self._calls else FinishReason.STOP)

    @property
    def _searches(self) -> int:
        """Since the third generation each query is billed, before it each grounded prompt.

        Source: Google, "Grounding with Google Search", pricing.
        """
        queries = self._grounding.queries
        return queries if is_third_generation(self._deployment.model) else min(queries, 1)

    def _take_part(self, part: Fields) -> Iterator[Event]:
        seal = text(part, "thoughtSignature") or None
        called = inner(part, "functionCall")
        words = text(part, "text")
        if called:
            yield self._call(called, seal)
        elif "text" not in part:
            # Tools that run at Google's, and media: there is no event for them.
            return
        elif part.get("thought"):
            yield ReasoningDelta(words, None if seal is None else Reasoning(words, seal, wire=KIND))
        else:
            if words:
                self._grounding.said(words)
                yield TextDelta(words)
            if seal is not None:
                # It seals the words before it, and is sent back in a part of its own.
                yield ReasoningDelta("", Reasoning("", seal, wire=KIND, is_redacted=True))

    def _call(self, said: Fields, seal: str | None) -> ToolCallDelta:
        """Older models give no id; ours must be the same when the answer is read again."""
        place = len(self._calls)
        id = text(said, "id") or f"call_{self._request_id.hex[-12:]}_{place}"
        arguments = orjson.dumps(inner(said, "args")).decode()
        call = ToolCall(id, text(said, "name"), arguments, seal)
        self._calls.append(ToolCalled(place, call))
        return ToolCallDelta(place, arguments, id=id, name=call.name)


def _blocked_ratings(candidate: Fields) -> Iterator[Event]:
    for rating in objects(candidate.get("safetyRatings")):
        if rating.get("blocked"):
            category = text(rating, "category").removeprefix("HARM_CATEGORY_").lower()
            message = f"The provider's filter saw {category.replace('_', ' ')}."
            yield Safety(category, message, is_blocked=True)


def _usage(said: Fields, searches: int) -> Usage:
    """Thoughts stand beside the candidates' tokens, pages that a tool read beside the prompt's.

    Both are billed. Source: Google, generateContent reference, `UsageMetadata`.
    """
    thoughts = count(said, "thoughtsTokenCount")
    return Usage(
        input_tokens=count(said, "promptTokenCount") + count(said, "toolUsePromptTokenCount"),
        output_tokens=count(said, "candidatesTokenCount") + thoughts,
        cache_read_tokens=count(said, "cachedContentTokenCount"),
        reasoning_tokens=thoughts,
        input_audio_tokens=_audio(said, "promptTokensDetails"),
        output_audio_tokens=_audio(said, "candidatesTokensDetails"),
        web_searches=searches,
        server_tool_calls=searches,
    )


def _audio(said: Fields, name: str) -> int:
    details = objects(said.get(name))
    return sum(count(each, "tokenCount") for each in details if each.get("modality") == "AUDIO")
