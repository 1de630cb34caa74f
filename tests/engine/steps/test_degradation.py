"""What each level does to a prompt; each of the guide's mistakes has a test that names it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from providers.engine.call import AttemptRecord, Call, Caller, Source, Stream
from providers.engine.errors import NotCached, ServiceDegraded
from providers.engine.events import Event, Finish, FinishReason, NoticeKind, TextDelta
from providers.engine.levels import InForce, Level
from providers.engine.policy import PredefinedAnswer
from providers.engine.request import (
    Effort,
    Image,
    Message,
    RawBody,
    ResponseSchema,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from providers.engine.routes import Ability, Route
from providers.engine.steps.degradation import NOWHERE, Degradation
from tests.fakes import CALLER, a_deployment, a_request, a_route

NOW = datetime(2026, 11, 27, tzinfo=UTC)
SIMPLIFIED = InForce(Level.SIMPLIFIED, 0.8, output_cap=500)
ESSENTIAL = InForce(Level.ESSENTIAL, 0.6, output_cap=200)
EMERGENCY = InForce(Level.EMERGENCY, 0.42)
FAST = Route("groq/llama-3.1-8b-instant", (a_deployment(9, provider="groq", model="llama"),))
WEATHER = Tool("weather", "Now.", {"type": "object", "properties": {}})
A_TOOL_RAN = (
    Message.of(Role.USER, "Is it warm?"),
    Message(Role.ASSISTANT, (ToolCall("1", "weather", "{}"),)),
    Message(Role.TOOL, (ToolResult("1", "warm"),)),
)


class Below:
    """The rest of the chain: keeps the call, answers, or has nothing kept."""

    def __init__(self, *, kept: str | None = None) -> None:
        self.call: Call | None = None
        self.kept = kept
        self.went_upstream = False

    @asynccontextmanager
    async def open(self, call: Call) -> AsyncGenerator[Stream]:
        self.call = call
        if call.is_cache_only and self.kept is None:
            raise NotCached("Nothing is kept.")
        self.went_upstream = not call.is_cache_only
        deployment = call.route.deployments[0]
        record = AttemptRecord(1, deployment, NOW, 0)
        yield Stream(deployment, record, played(self.kept or "Hi"))


async def played(text: str) -> AsyncGenerator[Event, None]:
    yield TextDelta(text)
    yield Finish(FinishReason.STOP)


async def ask(
    force: InForce, below: Below | None = None, route: Route | None = None, **fields: Any
) -> tuple[Call, str]:
    caller = fields.pop("caller", CALLER)
    call = Call(a_request(**fields), caller, route or a_route(), deadline=0.0)
    step = Degradation(lambda: NOW, lambda _: force)
    async with step.open(call, (below or Below()).open) as stream:
        said = [each.text async for each in stream.events if isinstance(each, TextDelta)]
    return call, "".join(said)


async def test_at_full_nothing_is_touched() -> None:
    request = a_request(tools=(WEATHER,))
    call = Call(request, CALLER, a_route(), 0.0)
    async with Degradation(lambda: NOW, lambda _: InForce()).open(call, Below().open):
        pass
    assert call.request is request
    assert not call.notices


async def test_the_request_is_copied_and_never_mutated() -> None:
    body: dict[str, Any] = {"model": "gpt", "tools": [{"x": 1}], "max_tokens": 900, "stream": True}
    raw = RawBody("openai_chat", body, {}, 80)
    request = a_request(tools=(WEATHER,), max_output_tokens=900, raw=raw)
    before = replace(request)
    call = Call(request, CALLER, a_route(), 0.0)
    async with Degradation(lambda: NOW, lambda _: ESSENTIAL).open(call, Below().open):
        pass
    assert request == before
    assert body == {"model": "gpt", "tools": [{"x": 1}], "max_tokens": 900, "stream": True}
    assert call.request.max_output_tokens == 200


@pytest.mark.parametrize(("force", "cap"), [(SIMPLIFIED, 500), (ESSENTIAL, 200)])
async def test_unset_max_tokens_is_capped_too(force: InForce, cap: int) -> None:
    for asked, sent in ((None, cap), (5000, cap), (10, 10)):
        call, _ = await ask(force, max_output_tokens=asked)
        assert call.request.max_output_tokens == sent


@pytest.mark.parametrize(
    ("wire", "body", "sent"),
    [
        ("openai_chat", {"max_tokens": 9000, "n": 1}, {"max_tokens": 500, "n": 1}),
        ("openai_chat", {"max_completion_tokens": 9000}, {"max_completion_tokens": 500}),
        ("openai_chat", {"max_tokens": 20}, {"max_tokens": 20}),
        ("openai_chat", {"tools": [], "tool_choice": "auto", "user": "a"}, {"user": "a"}),
        ("openai_chat", {"reasoning_effort": "high"}, {}),
        ("anthropic_messages", {"thinking": {"budget_tokens": 4000}, "max_tokens": 8000},
         {"max_tokens": 500}),
        ("gemini", {"generationConfig": {"maxOutputTokens": 9000, "topK": 3}},
         {"generationConfig": {"maxOutputTokens": 500, "topK": 3}}),
        ("openai_responses", {"max_output_tokens": 9000}, {"max_output_tokens": 500}),
    ],
)  # fmt: skip
async def test_the_caller_s_own_body_is_capped_and_loses_its_tools_as_well(
    wire: str, body: dict[str, Any], sent: dict[str, Any]
) -> None:
    call, _ = await ask(SIMPLIFIED, raw=RawBody(wire, body, {}, 10))
    assert call.request.raw is not None
    assert call.request.raw.body == sent


async def test_options_of_a_provider_are_no_way_around_the_cap() -> None:
    options = {"gemini": {"generationConfig": {"maxOutputTokens": 9000}}, "openai": {"tools": [1]}}
    call, _ = await ask(SIMPLIFIED, provider_options=options)
    assert call.request.provider_options == {
        "gemini": {"generationConfig": {"maxOutputTokens": 500}},
        "openai": {},
    }


async def test_tools_and_thoughts_are_off() -> None:
    call, _ = await ask(SIMPLIFIED, tools=(WEATHER,), tool_choice="required", effort=Effort.HIGH)
    assert (call.request.tools, call.request.tool_choice, call.request.effort) == ((), None, None)


async def test_a_conversation_in_which_a_tool_ran_keeps_the_definitions_but_may_call_none() -> None:
    raw = RawBody("anthropic_messages", {"tools": [1], "tool_choice": {"type": "any"}}, {}, 10)
    call, _ = await ask(SIMPLIFIED, messages=A_TOOL_RAN, tools=(WEATHER,), raw=raw)
    assert call.request.tools == (WEATHER,)
    assert call.request.tool_choice == "none"
    assert call.request.raw is not None
    assert call.request.raw.body == {"tools": [1], "tool_choice": {"type": "none"}}


async def test_only_essential_does_not_stream_upstream() -> None:
    assert (await ask(SIMPLIFIED))[0].request.stream
    assert not (await ask(ESSENTIAL))[0].request.stream


async def test_the_caller_is_told_in_words() -> None:
    call, _ = await ask(ESSENTIAL, tools=(WEATHER,))
    (notice,) = call.notices
    assert notice.kind is NoticeKind.DEGRADED
    assert notice.message == (
        "System is under high load, reduced mode (essential): tools are off, answers are limited"
        " to 200 tokens and the answer comes in one piece."
    )
    assert call.worst_level is Level.ESSENTIAL


async def test_a_probe_is_asked_as_it_is() -> None:
    call, _ = await ask(EMERGENCY, caller=Caller(Source.PROBE))
    assert not call.is_cache_only
    assert not call.notices


async def test_the_fast_route_is_asked_first_and_the_own_one_stands_in() -> None:
    call, _ = await ask(replace(SIMPLIFIED, fast=FAST))
    assert [each.id for each in call.route.deployments] == [9, 1]
    assert call.route.name == "gpt"
    assert "groq/llama is asked first" in call.notices[0].message


async def test_without_a_fit_fast_route_the_own_one_is_asked() -> None:
    """What is unconfigured or unhealthy never comes here: `health.in_force` leaves it out."""
    call, _ = await ask(replace(SIMPLIFIED, fast=None))
    assert [each.id for each in call.route.deployments] == [1]


@pytest.mark.parametrize(
    "why",
    [
        {"caller": replace(CALLER, routes=frozenset({"gpt"}))},
        {"messages": (Message(Role.USER, (Text("What?"), Image("https://a/b.png"))),)},
        {"response_schema": ResponseSchema()},
        {"messages": A_TOOL_RAN, "tools": (WEATHER,)},
    ],
    ids=["a key that may not", "an image", "JSON", "a tool that ran"],
)
async def test_the_fast_route_is_not_asked_what_it_may_not_or_cannot_answer(why: Any) -> None:
    call, _ = await ask(replace(SIMPLIFIED, fast=FAST), **why)
    assert [each.id for each in call.route.deployments] == [1]


@pytest.mark.parametrize(
    ("fast", "own"),
    [
        ({"is_local": False}, {"is_local": True}),
        ({"price": None}, {}),
        ({"context_tokens": 3}, {}),
        ({"lacks": frozenset({Ability.JSON}), "context_tokens": 1}, {}),
    ],
    ids=["leaves the house", "has no price", "too small", "far too small"],
)
async def test_a_fast_deployment_that_would_break_a_promise_is_left_out(
    fast: dict[str, Any], own: dict[str, Any]
) -> None:
    force = replace(SIMPLIFIED, fast=Route("fast", (a_deployment(9, **fast),)))
    call, _ = await ask(force, route=a_route(a_deployment(**own)), text="word " * 100)
    assert [each.id for each in call.route.deployments] == [1]


async def test_in_an_emergency_a_kept_answer_is_given_and_nothing_goes_upstream() -> None:
    below = Below(kept="What was kept.")
    call, said = await ask(EMERGENCY, below, max_output_tokens=9000)
    assert said == "What was kept."
    assert not below.went_upstream
    # The prompt as it was asked is the key of what was kept.
    assert call.request.max_output_tokens == 9000
    assert call.notices[-1].message == "System is under high load, returning cached response"


async def test_then_the_team_s_predefined_answer() -> None:
    below = Below()
    answers = (
        PredefinedAnswer("refund", "Within 30 days."),
        PredefinedAnswer("opening hours", "Nine to five."),
    )
    call, said = await ask(
        replace(EMERGENCY, answers=answers), below, text="Your OPENING HOURS, please?"
    )
    assert said == "Nine to five."
    assert not below.went_upstream
    assert not call.attempts
    assert not call.is_fallback(NOWHERE)
    assert call.notices[-1].message == "System is under high load, returning predefined response"


@pytest.mark.parametrize(
    "fields", [{}, {"response_schema": ResponseSchema()}, {"tool_choice": "required"}]
)
async def test_then_the_plain_word_that_it_is_no_use_now(fields: dict[str, Any]) -> None:
    answers = (PredefinedAnswer("" if fields else "refund", "Within 30 days."),)
    below = Below()
    with pytest.raises(ServiceDegraded, match="temporarily degraded") as raised:
        await ask(replace(EMERGENCY, answers=answers), below, **fields)
    assert (raised.value.retry_after_s, raised.value.health_score) == (30, 0.42)
    assert not below.went_upstream


async def test_each_team_is_asked_about_by_its_id() -> None:
    levels = {1: SIMPLIFIED, 2: ESSENTIAL}
    step = Degradation(lambda: NOW, lambda team: levels[team or 0])
    for team, cap in ((1, 500), (2, 200)):
        call = Call(a_request(), replace(CALLER, team_id=team), a_route(), 0.0)
        async with step.open(call, Below().open):
            assert call.request.max_output_tokens == cap
