"""Bodies of chat completions, as clients send them."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import orjson
import pytest

from providers.engine.errors import InvalidRequest
from providers.engine.request import Image, Role, Text, ToolCall, ToolResult
from providers.wire.chat_request import ChatRequest, parse

HI = {"role": "user", "content": "hi"}


def read(**fields: Any) -> ChatRequest:
    body = {"model": "demo", "messages": [HI], **fields}
    return parse(orjson.dumps(body), uuid4())


def test_unset_is_not_zero() -> None:
    request = read().request
    assert request.temperature is None
    assert request.max_output_tokens is None
    assert request.tools == ()
    assert not request.stream


def test_an_explicit_null_is_unset() -> None:
    request = read(temperature=None, stop=None, tools=None, stream_options=None, n=None).request
    assert request.temperature is None
    assert request.choices == 1


def test_the_newer_name_of_the_longest_answer_wins() -> None:
    assert read(max_tokens=5).request.max_output_tokens == 5
    assert read(max_tokens=5, max_completion_tokens=7).request.max_output_tokens == 7


def test_the_body_is_kept_whole_with_what_we_do_not_know() -> None:
    raw = read(service_tier="flex").request.raw
    assert raw is not None
    assert raw.body["service_tier"] == "flex"
    assert raw.size > 0


def test_usage_is_only_asked_for_in_streams() -> None:
    options = {"include_usage": True}
    assert read(stream=True, stream_options=options).include_usage
    assert not read(stream=False, stream_options=options).include_usage


def test_a_conversation_with_tools_is_read_whole() -> None:
    call = {"id": "a", "type": "function", "function": {"name": "add", "arguments": "{}"}}
    request = read(
        messages=[
            {"role": "developer", "content": "be brief"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "look"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}},
                ],
            },
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "a", "content": "3"},
        ],
        tools=[{"type": "function", "function": {"name": "add"}}],
        tool_choice={"type": "function", "function": {"name": "add"}},
    ).request
    assert [message.role for message in request.messages] == [
        Role.DEVELOPER,
        Role.USER,
        Role.ASSISTANT,
        Role.TOOL,
    ]
    assert request.messages[1].parts == (Text("look"), Image("data:image/png;base64,AA"))
    assert request.messages[2].parts == (ToolCall("a", "add", "{}"),)
    assert request.messages[3].parts == (ToolResult("a", "3"),)
    assert request.tool_choice == "add"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": [HI, {"role": "user"}]}, "messages.1.content"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": [{"type": "x"}]}]}, "messages.0.content.0.type"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"stream": 1}, "stream"),
        ({"tools": [{"type": "web"}]}, "tools.0.type"),
        ({"functions": []}, "functions"),
        ({"stop": [1]}, "stop.0"),
    ],
)
def test_a_fault_names_its_path(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as fault:
        read(**fields)
    assert fault.value.param == param


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff", b'{"model": NaN}'])
def test_what_is_no_json_object_is_refused_in_words(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match="JSON"):
        parse(body, uuid4())
