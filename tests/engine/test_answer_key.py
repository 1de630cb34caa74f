"""Two prompts never share a key unless the answer hangs on nothing in which they differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.engine.answer_key import MOST_INPUT_BYTES, key_of
from providers.engine.call import Call, Caller, Source
from providers.engine.policy import NONE, FilterMode, Policy
from providers.engine.ports import AnswerKey
from providers.engine.request import (
    Caching,
    CompletionRequest,
    Effort,
    Image,
    Message,
    RawBody,
    Refusal,
    ResponseSchema,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from providers.engine.routes import Route
from tests.fakes import CALLER, a_deployment, a_request, a_route

SECRET = b"s" * 32
ROUTE = a_route()


def key(
    request: CompletionRequest,
    caller: Caller = CALLER,
    route: Route = ROUTE,
    policy: Policy = NONE,
) -> AnswerKey | None:
    return key_of(Call(request, caller, route, deadline=0.0), SECRET, policy)


def steady(**fields: Any) -> CompletionRequest:
    return a_request(**{"temperature": 0.0, **fields})


def raw(**body: Any) -> RawBody:
    return RawBody("openai_chat", body, {}, size=10)


_texts = st.text(max_size=4)
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | _texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_texts, inner, max_size=2),
    max_leaves=4,
)
_parts = st.one_of(
    st.builds(Text, _texts),
    st.builds(Refusal, _texts),
    st.builds(Image, _texts, st.none() | _texts),
)
_messages = st.builds(Message, st.sampled_from(Role), st.lists(_parts, max_size=2).map(tuple))
_requests = st.builds(
    CompletionRequest,
    id=st.builds(uuid4),
    route=st.sampled_from(["gpt", "gpu"]),
    messages=st.lists(_messages, max_size=2).map(tuple),
    temperature=st.sampled_from([0, 0.0, 0.5]),
    top_p=st.sampled_from([None, 0.0, 1.0]),
    max_output_tokens=st.sampled_from([None, 0, 1]),
    stop=st.lists(_texts, max_size=2).map(tuple),
    seed=st.sampled_from([None, 0, 1]),
    tool_choice=st.sampled_from([None, "none"]),
    response_schema=st.none() | st.builds(ResponseSchema, st.dictionaries(_texts, _json)),
    effort=st.none() | st.sampled_from(Effort),
    stream=st.booleans(),
    provider_options=st.dictionaries(
        st.sampled_from(["a", "b"]), st.dictionaries(_texts, _json, max_size=2), max_size=1
    ),
    raw=st.none() | st.builds(raw, extra=_json),
)


def _essence(value: Any) -> str:
    """Write out a value with the type of everything in it: an independent notion of sameness."""
    if isinstance(value, Mapping):
        return str(sorted((name, _essence(each)) for name, each in value.items()))
    if isinstance(value, (list, tuple)):
        return str([_essence(each) for each in value])
    return f"{type(value).__name__}:{value!r}"


def _same(one: CompletionRequest, other: CompletionRequest) -> bool:
    names = set(CompletionRequest.__slots__) - {"id", "stream", "raw"}  # type: ignore[attr-defined]
    pairs = [(getattr(one, name), getattr(other, name)) for name in names]
    pairs.append((one.raw and one.raw.body, other.raw and other.raw.body))
    return all(_essence(left) == _essence(right) for left, right in pairs)


@settings(max_examples=80, deadline=None)
@given(_requests, _requests)
def test_two_different_requests_never_share_a_key(
    one: CompletionRequest, other: CompletionRequest
) -> None:
    first, second = key(one), key(other)
    if first is not None and second is not None:
        assert (first == second) == _same(one, other)


@settings(max_examples=100, deadline=None)
@given(_requests, st.sampled_from(["temperature", "seed", "stop", "messages", "raw"]))
def test_a_request_with_one_field_of_another_shares_its_key_only_when_it_is_the_same(
    one: CompletionRequest, name: str
) -> None:
    other = replace(steady(route=one.route), **{name: getattr(one, name)})
    first, second = key(one), key(other)
    if first is not None and second is not None:
        assert (first == second) == _same(one, other)


def test_the_same_prompt_has_the_same_key_plain_or_streamed_whoever_of_the_team_asks() -> None:
    again = Caller(Source.PLAYGROUND, user_id=2, team_id=1)
    assert key(steady()) == key(
        steady(stream=False, metadata={"trace": "9"}, traceparent="00-1-2-01"), again
    )


def test_the_same_prompt_of_another_team_has_another_key() -> None:
    other = Caller(Source.GATEWAY, user_id=1, team_id=2, key_id=1)
    assert key(steady()).digest != key(steady(), other).digest  # type: ignore[union-attr]


def test_a_call_without_a_team_has_no_key() -> None:
    assert key(steady(), Caller(Source.PROBE)) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"route": "other"},
        {"temperature": 0.1},
        {"top_p": 0.5},
        {"max_output_tokens": 9},
        {"stop": ("x",)},
        {"seed": 1},
        {"response_schema": ResponseSchema({"type": "object"})},
        {"effort": Effort.LOW},
        {"tool_choice": "none"},
        {"provider_options": {"openai": {"service_tier": "flex"}}},
        {"raw": raw(unheard_of=1)},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_whatever_the_answer_hangs_on_makes_another_key(fields: dict[str, Any]) -> None:
    assert key(steady()) != key(steady(**fields))


def test_raw_fields_that_nobody_here_knows_are_part_of_the_key() -> None:
    assert key(steady(raw=raw(unheard_of=1))) != key(steady(raw=raw(unheard_of=2)))
    assert key(steady(raw=raw(stream=True))) == key(steady(raw=raw(stream=False)))


def test_a_text_and_a_refusal_of_the_same_words_are_two_prompts() -> None:
    said = [Message(Role.ASSISTANT, (part,)) for part in (Text("No"), Refusal("No"))]
    assert key(steady(messages=(said[0],))) != key(steady(messages=(said[1],)))


def test_other_filters_make_another_key_and_other_degradation_numbers_do_not() -> None:
    assert key(steady()) != key(steady(), policy=Policy(pii_output=FilterMode.REDACT))
    assert key(steady()) == key(steady(), policy=Policy(simplified_below=0.5))


def test_a_route_that_leads_elsewhere_makes_another_key() -> None:
    moved = a_route(a_deployment(base_url="http://127.0.0.2"))
    assert key(steady()) != key(steady(), route=a_route(a_deployment(2)))
    assert key(steady()) != key(steady(), route=moved)


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), object(), {1: "one"}, b"bytes", {"a", "b"}]
)
def test_what_cannot_be_serialised_is_a_miss_never_a_shared_key(value: Any) -> None:
    assert key(steady(provider_options={"openai": {"odd": value}})) is None


def test_a_body_nested_without_end_is_a_miss() -> None:
    deep: Any = 0
    for _ in range(100_000):
        deep = [deep]
    assert key(steady(raw=raw(deep=deep))) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": (Tool("f", "", {}),)},
        {"messages": (Message(Role.ASSISTANT, (ToolCall("1", "f", "{}"),)),)},
        {"messages": (Message(Role.TOOL, (ToolResult("1", "42"),)),)},
        {"raw": raw(web_search_options={"a": 1})},
        {"provider_options": {"anthropic": {"mcp_servers": [1]}}},
    ],
)
def test_tools_in_play_are_never_cached_not_even_when_asked(fields: dict[str, Any]) -> None:
    assert key(steady(**fields, cache=Caching.ON)) is None


@pytest.mark.parametrize("temperature", [None, 0.81, 2.0])
def test_a_prompt_that_may_be_answered_otherwise_is_cached_only_when_asked(
    temperature: float | None,
) -> None:
    request = a_request(temperature=temperature)
    assert key(request) is None
    assert key(replace(request, cache=Caching.ON)) is not None


def test_who_wants_no_cache_has_no_key() -> None:
    assert key(steady(cache=Caching.OFF)) is None


def test_a_huge_prompt_is_not_worth_its_digest() -> None:
    assert key(a_request("x" * (MOST_INPUT_BYTES + 1), temperature=0.0)) is None


def test_the_digest_tells_nothing_without_the_secret() -> None:
    call = Call(steady(), CALLER, ROUTE, deadline=0.0)
    assert key_of(call, b"a" * 32, NONE) != key_of(call, b"b" * 32, NONE)
