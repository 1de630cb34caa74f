from __future__ import annotations

import base64
import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from providers.engine.call import Call, Caller, Source
from providers.engine.errors import (
    InvalidRequest,
    InvalidRole,
    TextTooLong,
    TooManyMessages,
    UnsupportedPart,
)
from providers.engine.ranges import Range, temperatures
from providers.engine.request import (
    Audio,
    File,
    Image,
    Message,
    Reasoning,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from providers.engine.routes import Ability, Deployment, Route
from providers.engine.steps.validation import Sizes, Validation
from tests.fakes import a_deployment, a_request, a_route

TOOL = Tool("look", "", {})
EMPTY = Message(Role.USER, ())
FORGED = Message(Role.USER, (Reasoning("I think"),))
HELLO = Message.of(Role.USER, "Hello")


ROUTE = a_route()
SHORT = Sizes(messages=3, bytes=400, stops=2)
PICTURE = "data:image/png;base64,iVBORw0KGgo="


def check(validation: Validation, route: Route = ROUTE, **fields: Any) -> None:
    validation.check(a_request(**{"text": "Hello", **fields}), route)


def refused(fields: dict[str, Any], most: Sizes = SHORT, route: Route = ROUTE) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        check(Validation(most), route, **fields)
    return caught.value


def of_user(*parts: Any) -> dict[str, Any]:
    return {"messages": (HELLO, Message(Role.USER, (Text("Look"), *parts)))}


@pytest.mark.parametrize(
    ("fields", "kind", "param"),
    [
        ({"messages": ()}, InvalidRequest, "messages"),
        ({"messages": (HELLO, EMPTY)}, InvalidRequest, "messages.1.content"),
        ({"messages": (FORGED,)}, UnsupportedPart, "messages.0.content.0"),
        ({"messages": (HELLO,) * 4}, TooManyMessages, "messages"),
        ({"messages": (Message.of(Role.USER, "ü" * 201),)}, TextTooLong, "messages"),
        ({"temperature": 2.1}, InvalidRequest, "temperature"),
        ({"temperature": math.nan}, InvalidRequest, "temperature"),
        ({"top_p": -0.1}, InvalidRequest, "top_p"),
        ({"max_output_tokens": 0}, InvalidRequest, "max_tokens"),
        ({"choices": 2}, InvalidRequest, "n"),
        ({"tool_choice": "required"}, InvalidRequest, "tool_choice"),
        ({"tool_choice": "other", "tools": (TOOL,)}, InvalidRequest, "tool_choice"),
        ({"stop": ("a", "b", "c")}, InvalidRequest, "stop"),
        (of_user(Image(url="ftp://example.com/x.png")), InvalidRequest, "messages.1.content.1"),
        (of_user(Image()), InvalidRequest, "messages.1.content.1"),
        (of_user(Image(url="data:image/png,abc")), InvalidRequest, "messages.1.content.1"),
        (of_user(Image(url="data:image/png;base64,%%%%")), InvalidRequest, "messages.1.content.1"),
        (of_user(Image(url="data:text/html;base64,aGk=")), UnsupportedPart, "messages.1.content.1"),
        (of_user(ToolCall("c", "f", "{}")), UnsupportedPart, "messages.1.content.1"),
    ],
)
def test_a_fault_names_its_field_and_its_kind(
    fields: dict[str, Any], kind: type[InvalidRequest], param: str
) -> None:
    fault = refused(fields)
    assert (type(fault), fault.param) == (kind, param)


@pytest.mark.parametrize(
    ("most", "words"),
    [
        (Sizes(bytes=1_000), "1,006 bytes; at most 1,000"),
        (Sizes(message_characters=1_000), "messages.1 has 1,001 characters; at most 1,000"),
        (Sizes(characters=1_000), "messages have 1,006 characters; at most 1,000"),
        (Sizes(message_tokens=250), "messages.1 has about 251 tokens; at most 250"),
        (Sizes(tokens=250), "messages have about 252 tokens; at most 250"),
        (Sizes(messages=1), "There are 2 messages; at most 1 are allowed. Leave the oldest out"),
    ],
)
def test_a_size_is_told_in_numbers_with_the_way_out(most: Sizes, words: str) -> None:
    fields = {"messages": (HELLO, Message.of(Role.USER, "x" * 1_001))}
    assert words in refused(fields, most).message


def test_what_a_tool_gave_counts_as_text_of_its_message() -> None:
    result = Message(Role.TOOL, (ToolResult("c", "x" * 1_001),))
    fault = refused({"messages": (HELLO, result)}, Sizes(message_characters=1_000))
    assert fault.param == "messages.1"


def test_only_roles_that_callers_may_use_pass() -> None:
    validation = Validation(roles=frozenset({Role.USER, Role.ASSISTANT}))
    with pytest.raises(InvalidRole, match="allowed are user, assistant") as caught:
        check(validation, messages=(HELLO, Message.of(Role.SYSTEM, "Obey")))
    assert caught.value.param == "messages.1.role"


def test_an_attachment_is_measured_in_decoded_bytes() -> None:
    data = base64.b64encode(b"x" * 1_001).decode()
    fields = of_user(Image(url=f"data:image/png;base64,{data}"))
    assert "1,001 bytes; at most 1,000" in refused(fields, Sizes(attachment_bytes=1_000)).message
    check(Validation(Sizes(attachment_bytes=1_001)), **fields)


@pytest.mark.parametrize(
    "part",
    [
        Image(url=PICTURE),
        Image(url="https://example.com/x.png"),
        Image(file_id="file-1"),
        Audio(url="data:audio/wav;base64,UklGRg=="),
        File(url="data:application/pdf;base64,JVBERg==", name="a.pdf"),
        File(url="data:text/plain;charset=utf-8;base64,aGk="),
    ],
)
def test_an_attachment_in_order_passes(part: Any) -> None:
    check(Validation(), **of_user(part))


def test_a_part_that_no_deployment_of_the_route_takes_is_refused_by_its_path() -> None:
    blind = a_deployment(1, lacks=frozenset({Ability.VISION}))
    fault = refused(of_user(Image(url=PICTURE)), Sizes(), a_route(blind))
    assert isinstance(fault, UnsupportedPart)
    assert fault.message.startswith("messages.1.content.1: provider1/model1 cannot take images.")
    check(Validation(), a_route(blind, a_deployment(2)), **of_user(Image(url=PICTURE)))


CLAUDE = a_deployment(1, kind="anthropic_messages")
REASONER = a_deployment(
    2, kind="openai_chat", base_url="https://api.openai.com/v1", model="o4-mini"
)


@pytest.mark.parametrize(
    ("deployment", "temperature", "words"),
    [(CLAUDE, 1.5, "takes 0 to 1"), (REASONER, 0.2, "takes only 1")],
)
def test_a_temperature_that_no_model_of_the_route_takes_is_refused(
    deployment: Deployment, temperature: float, words: str
) -> None:
    fault = refused({"temperature": temperature}, Sizes(), a_route(deployment))
    assert words in fault.message
    assert fault.param == "temperature"
    check(Validation(), a_route(deployment, a_deployment(3)), temperature=temperature)


@pytest.mark.parametrize(
    ("model", "range"),
    [
        ("o3", (1.0, 1.0)),
        ("o1-mini", (1.0, 1.0)),
        ("gpt-5", (1.0, 1.0)),
        ("gpt-5-mini-2025-08-07", (1.0, 1.0)),
        ("gpt-5-chat-latest", (0.0, 2.0)),
        ("gpt-5.1", (0.0, 2.0)),
        ("gpt-4o-mini", (0.0, 2.0)),
    ],
)
def test_which_temperatures_a_model_of_openai_takes(model: str, range: Range) -> None:
    assert temperatures(replace(REASONER, model=model)) == range


def test_what_is_unset_is_not_judged() -> None:
    check(Validation(), tools=(TOOL,), tool_choice="look", temperature=0.0)


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


def test_an_idempotency_key_is_for_whole_answers() -> None:
    check(Validation(), idempotency_key="order-7", stream=False)
    assert refused({"idempotency_key": "order-7", "stream": True}).param == "idempotency-key"
