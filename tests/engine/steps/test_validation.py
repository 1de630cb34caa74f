from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from providers.engine.call import Call, Caller, Source
from providers.engine.errors import InvalidRequest
from providers.engine.request import Message, Reasoning, Role, Tool
from providers.engine.steps.validation import Validation
from tests.fakes import a_request, a_route

TOOL = Tool("look", "", {})
EMPTY = Message(Role.USER, ())
FORGED = Message(Role.USER, (Reasoning("I think"),))
HELLO = Message.of(Role.USER, "Hello")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": ()}, "messages"),
        ({"messages": (HELLO, EMPTY)}, "messages.1.content"),
        ({"messages": (FORGED,)}, "messages.0.content.0"),
        ({"messages": (HELLO,) * 4}, "messages"),
        ({"messages": (Message.of(Role.USER, "ü" * 51),)}, "messages"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": math.nan}, "temperature"),
        ({"top_p": -0.1}, "top_p"),
        ({"max_output_tokens": 0}, "max_tokens"),
        ({"choices": 2}, "n"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": "other", "tools": (TOOL,)}, "tool_choice"),
        ({"stop": ("a", "b", "c")}, "stop"),
    ],
)
def test_a_fault_names_its_field(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Validation(most_messages=3, most_bytes=100, most_stops=2).check(a_request(**fields))
    assert caught.value.param == param


def test_a_size_is_told_in_numbers() -> None:
    with pytest.raises(InvalidRequest, match="1,001 bytes; at most 1,000"):
        Validation(most_bytes=1_000).check(a_request("x" * 1_001))


def test_what_is_unset_is_not_judged() -> None:
    Validation().check(a_request("Hello", tools=(TOOL,), tool_choice="look", temperature=0.0))


async def asked(validation: Validation, source: Source, **fields: Any) -> None:
    @asynccontextmanager
    async def onwards(_: Call) -> AsyncGenerator[Any]:
        yield None

    call = Call(a_request("Hello", **fields), Caller(source), a_route(), deadline=1.0)
    async with validation.open(call, onwards):
        pass


@pytest.mark.parametrize(
    ("switches", "fields", "param"),
    [
        ({"allows_tools": False}, {"tools": (TOOL,)}, "tools"),
        ({"allows_streaming": False}, {"stream": True}, "stream"),
    ],
)
async def test_what_is_switched_off_is_refused_by_name(
    switches: dict[str, bool], fields: dict[str, Any], param: str
) -> None:
    with pytest.raises(InvalidRequest, match="switched off") as caught:
        await asked(Validation(**switches), Source.GATEWAY, **fields)
    assert caught.value.param == param


async def test_the_playground_streams_whatever_callers_may() -> None:
    await asked(Validation(allows_streaming=False), Source.PLAYGROUND, stream=True)
