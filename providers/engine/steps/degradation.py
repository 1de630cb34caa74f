"""Ask for less while the installation does badly, and tell the caller so.

Simplified: no tools, a short answer, from the fast route where that is fit. Essential: shorter
still, and asked for whole. Emergency: nothing goes upstream; a kept answer, a predefined one, or
the plain word that it is no use now.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    aclosing,
    asynccontextmanager,
)
from dataclasses import dataclass, replace
from typing import Any, cast

from providers.engine.call import AttemptRecord, AttemptStatus, Call, Source, Stream
from providers.engine.errors import NotCached, ServiceDegraded
from providers.engine.events import Event, Finish, FinishReason, Notice, NoticeKind, TextDelta
from providers.engine.levels import FULL, InForce, InForceFor, Level
from providers.engine.needs import input_tokens, needs_of, unfit
from providers.engine.ports import Open, UtcNow
from providers.engine.request import CompletionRequest, RawBody, Role, ToolCall, ToolResult
from providers.engine.routes import Deployment, Route

CACHED = "System is under high load, returning cached response"
PREDEFINED = "System is under high load, returning predefined response"
REFUSED = "Service is temporarily degraded, please try again later"

NOWHERE = Deployment(id=0, provider="predefined", kind="", model="", base_url="")
"""Whose answer it is when nobody was asked."""


def _always_full(_: int | None) -> InForce:
    return FULL


@dataclass(slots=True)
class Degradation:
    """The request is copied, never changed: who sent it still has what was sent.

    `in_force` is asked for each prompt's team, and may be replaced at any time.
    """

    utcnow: UtcNow
    in_force: InForceFor = _always_full

    def open(self, call: Call, open_next: Open[Call]) -> AbstractAsyncContextManager[Stream]:
        force = self.in_force(call.caller.team_id)
        call.level = force.level
        if force.level is Level.FULL or call.caller.source is Source.PROBE:
            return open_next(call)
        if force.level is Level.EMERGENCY:
            return self._open_without_asking(call, force, open_next)
        _reduce(call, force)
        return open_next(call)

    def open_texts(self, call: Call, open_next: Open[Call]) -> AbstractAsyncContextManager[Stream]:
        """Texts that become vectors cannot be shortened; in an emergency nobody is asked.

        Raises ServiceDegraded.
        """
        force = self.in_force(call.caller.team_id)
        call.level = force.level
        if force.level is Level.EMERGENCY:
            raise _refused(force)
        return open_next(call)

    @asynccontextmanager
    async def _open_without_asking(
        self, call: Call, force: InForce, open_next: Open[Call]
    ) -> AsyncGenerator[Stream]:
        async with AsyncExitStack() as stack:
            stream = await self._without_asking(stack, call, force, open_next)
            yield stream

    async def _without_asking(
        self, stack: AsyncExitStack, call: Call, force: InForce, open_next: Open[Call]
    ) -> Stream:
        """Raise ServiceDegraded where there is neither a kept nor a predefined answer."""
        call.is_cache_only = True
        try:
            stream = await stack.enter_async_context(open_next(call))
        except NotCached:
            call.is_cache_only = False
        else:
            call.notices.append(Notice(NoticeKind.DEGRADED, CACHED))
            return stream
        words = _predefined(call.request, force)
        if words is None:
            raise _refused(force)
        call.notices.append(Notice(NoticeKind.DEGRADED, PREDEFINED))
        call.preferred = NOWHERE
        events = await stack.enter_async_context(aclosing(_say(words)))
        return Stream(NOWHERE, self._record(), events)

    def _record(self) -> AttemptRecord:
        """Fill the place of an attempt's record; none was made, so it is in no journal."""
        return AttemptRecord(
            number=0,
            deployment=NOWHERE,
            started_at=self.utcnow(),
            input_bound=0,
            status=AttemptStatus.OK,
        )


def _refused(force: InForce) -> ServiceDegraded:
    return ServiceDegraded(REFUSED, retry_after_s=force.retry_after_s, health_score=force.score)


def _reduce(call: Call, force: InForce) -> None:
    asked = call.request
    call.request = _smaller(asked, force)
    fast = _fast_first(call, force.fast)
    if fast is not None:
        call.route = fast
    words = _in_words(asked, call.request, force, fast)
    call.notices.append(Notice(NoticeKind.DEGRADED, words))


def _smaller(request: CompletionRequest, force: InForce) -> CompletionRequest:
    cap = force.output_cap
    asked = request.max_output_tokens
    # Unset is not short: it is as long as the model likes.
    most = asked if cap is None else cap if asked is None else min(asked, cap)
    keeps_tools = _has_tool_parts(request)
    return replace(
        request,
        max_output_tokens=most,
        # Some providers refuse a conversation with tool results when the tools are not told.
        tools=request.tools if keeps_tools else (),
        tool_choice="none" if keeps_tools and request.tools else None,
        # Thoughts are counted as output: within a short answer they would leave no words.
        effort=None,
        stream=request.stream and force.level is not Level.ESSENTIAL,
        provider_options={
            name: _smaller_fields(options, most, keeps_tools=keeps_tools)
            for name, options in request.provider_options.items()
        },
        raw=_smaller_body(request.raw, most, keeps_tools=keeps_tools),
    )


def _has_tool_parts(request: CompletionRequest) -> bool:
    return any(
        isinstance(part, ToolCall | ToolResult)
        for message in request.messages
        for part in message.parts
    )


def _smaller_body(raw: RawBody | None, cap: int | None, *, keeps_tools: bool) -> RawBody | None:
    """Take out of a caller's own body what the typed request has lost as well."""
    if raw is None:
        return None
    body = _smaller_fields(raw.body, cap, keeps_tools=keeps_tools)
    if "tools" in body:
        body |= _NO_CHOICE.get(raw.wire, {})
    return replace(raw, body=body)


def _smaller_fields(
    fields: Mapping[str, Any], cap: int | None, *, keeps_tools: bool
) -> dict[str, Any]:
    """Lower every limit that stands there; an adapter writes the one that does not."""
    smaller: dict[str, Any] = {}
    for name, value in fields.items():
        if name in _THOUGHTS or (name in _TOOLS and not keeps_tools):
            continue
        if name in _NESTED and isinstance(value, Mapping):
            nested = cast("Mapping[str, Any]", value)
            smaller[name] = _smaller_fields(nested, cap, keeps_tools=keeps_tools)
        elif name in _LIMITS and isinstance(value, int) and cap is not None:
            smaller[name] = min(value, cap)
        else:
            smaller[name] = value
    return smaller


def _fast_first(call: Call, fast: Route | None) -> Route | None:
    """Put what is fast before the route's own; None: nothing of it may or can answer this."""
    if fast is None or (call.caller.routes and fast.name not in call.caller.routes):
        return None
    own = call.route.deployments
    needs, tokens = needs_of(call.request), input_tokens(call.request)
    stays_local = all(each.is_local for each in own)
    has_prices = all(each.price is not None for each in own)

    def may_answer(each: Deployment) -> bool:
        # Nobody may know what a small model cannot do, so it is asked for words alone.
        return (
            not needs
            and unfit(each, needs, tokens) is None
            and (each.is_local or not stays_local)
            and (each.price is not None or not has_prices)
        )

    first = tuple(each for each in fast.deployments if may_answer(each))
    ids = {each.id for each in first}
    others = tuple(each for each in own if each.id not in ids)
    return Route(call.route.name, (*first, *others)) if first else None


def _in_words(
    asked: CompletionRequest, sent: CompletionRequest, force: InForce, fast: Route | None
) -> str:
    changes: list[str] = []
    if asked.tools:
        changes.append("tools are off")
    if sent.max_output_tokens != asked.max_output_tokens:
        changes.append(f"answers are limited to {sent.max_output_tokens:,} tokens")
    if asked.stream and not sent.stream:
        changes.append("the answer comes in one piece")
    if fast is not None:
        changes.append(f"{fast.deployments[0].name} is asked first")
    told = _listed(changes) or "your prompt is within its limits"
    return f"System is under high load, reduced mode ({force.level}): {told}."


def _listed(changes: list[str]) -> str:
    return " and ".join([", ".join(changes[:-1]), changes[-1]] if changes[1:] else changes)


def _predefined(request: CompletionRequest, force: InForce) -> str | None:
    """Find the team's first answer that fits; words are no use to who asked for JSON or a tool."""
    if request.response_schema is not None or request.tool_choice not in {None, "auto", "none"}:
        return None
    users = [message.text for message in request.messages if message.role is Role.USER]
    asked = users[-1].casefold() if users else ""
    fitting = (each.answer for each in force.answers if each.match.casefold() in asked)
    return next(fitting, None)


async def _say(words: str) -> AsyncGenerator[Event, None]:
    yield TextDelta(words)
    yield Finish(FinishReason.STOP)


_LIMITS = frozenset({
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "maxOutputTokens",
})
_NESTED = frozenset({"generationConfig"})
_THOUGHTS = frozenset({"thinking", "reasoning", "reasoning_effort", "thinkingConfig"})
_TOOLS = frozenset({
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "web_search_options",
    "mcp_servers",
    "toolConfig",
})
_NO_CHOICE: Mapping[str, Mapping[str, Any]] = {
    "openai_chat": {"tool_choice": "none"},
    "openai_responses": {"tool_choice": "none"},
    "anthropic_messages": {"tool_choice": {"type": "none"}},
    "gemini": {"toolConfig": {"functionCallingConfig": {"mode": "NONE"}}},
}
"""How each wire says that no tool may be called.

Source: OpenAI, API reference, "tool_choice"; Anthropic, Messages, "tool_choice"; Gemini API,
"FunctionCallingConfig".
"""
