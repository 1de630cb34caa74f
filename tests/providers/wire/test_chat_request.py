"""Bodies of chat completions, as clients send them."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import orjson
import pytest

from providers.engine.errors import InvalidRequest
from providers.engine.request import (
    Audio,
    Effort,
    File,
    Image,
    Refusal,
    ResponseSchema,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
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


def test_every_kind_of_part_is_read() -> None:
    content = [
        {"type": "text", "text": "See"},
        {"type": "image_url", "image_url": {"url": "https://a.example/a.png", "detail": "low"}},
        {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "mp3"}},
        {
            "type": "file",
            "file": {"file_data": "data:application/pdf;base64,aGk=", "filename": "a"},
        },
        {"type": "file", "file": {"file_id": "file-1"}},
    ]
    (message,) = read(messages=[{"role": "user", "content": content}]).request.messages
    assert message.parts == (
        Text("See"),
        Image("https://a.example/a.png", detail="low"),
        Audio("data:audio/mpeg;base64,aGk="),
        File("data:application/pdf;base64,aGk=", name="a"),
        File(file_id="file-1"),
    )


def test_a_refusal_and_the_seal_of_a_call_come_back_as_they_went() -> None:
    call = {
        "id": "a",
        "type": "function",
        "function": {"name": "add", "arguments": "{}"},
        "extra_content": {"google": {"thought_signature": "seal"}},
    }
    refused = {"role": "assistant", "content": None, "refusal": "No.", "tool_calls": [call]}
    message = read(messages=[HI, refused]).request.messages[1]
    assert message.parts == (Refusal("No."), ToolCall("a", "add", "{}", "seal"))


@pytest.mark.parametrize(
    ("format", "wanted"),
    [
        (None, None),
        ({"type": "text"}, None),
        ({"type": "json_object"}, ResponseSchema()),
        (
            {"type": "json_schema", "json_schema": {"name": "sky", "schema": {}, "strict": True}},
            ResponseSchema({}, "sky", strict=True),
        ),
        (
            {"type": "json_schema", "json_schema": {"name": "sky", "schema": {}}},
            ResponseSchema({}, "sky", strict=False),
        ),
    ],
)
def test_a_schema_is_read_so_that_every_wire_gets_it(
    format: Any, wanted: ResponseSchema | None
) -> None:
    assert read(response_format=format).request.response_schema == wanted


@pytest.mark.parametrize(
    ("word", "effort"),
    [(None, None), ("none", Effort.NONE), ("low", Effort.LOW), ("xhigh", Effort.HIGH), ("x", None)],
)
def test_an_effort_is_the_nearest_that_we_know(word: str | None, effort: Effort | None) -> None:
    assert read(reasoning_effort=word).request.effort == effort


def test_options_of_one_provider_are_taken_out_of_what_is_passed_on() -> None:
    request = read(provider_options={"gemini": {"safetySettings": []}}).request
    assert request.provider_options == {"gemini": {"safetySettings": []}}
    assert request.raw is not None
    assert "provider_options" not in request.raw.body


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"provider_options": {"gemini": 7}}, "provider_options.gemini"),
        (
            {"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]},
            "messages.0.content.0.file",
        ),
    ],
)
def test_a_fault_in_what_is_newer_names_its_path(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(**fields)
    assert caught.value.param == path
