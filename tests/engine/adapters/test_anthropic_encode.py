"""Requests as Anthropic takes them, by what each of its models can do."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from providers.engine.adapters.anthropic_messages.encode import encoded
from providers.engine.errors import InvalidRequest
from providers.engine.request import (
    Audio,
    Effort,
    File,
    Image,
    Message,
    RawBody,
    Reasoning,
    Refusal,
    ResponseSchema,
    Role,
    Text,
    Tool,
    ToolCall,
)
from tests.fakes import a_deployment, a_request

HAIKU, OPUS_46, SONNET, OPUS_55 = (
    "claude-haiku-4-5-20251001",
    "claude-opus-4-6",
    "claude-sonnet-5",
    "claude-opus-5-5",
)
PDF = "data:application/pdf;base64,JVBERg=="


def body(model: str = HAIKU, **fields: Any) -> Any:
    deployment = a_deployment(
        kind="anthropic_messages", provider="acme", model=model, max_output_tokens=10_000
    )
    return orjson.loads(encoded(a_request(**fields), deployment))


def blocks(*parts: Any, role: Role = Role.USER) -> Any:
    return body(messages=(Message(role, parts),))["messages"][0]["content"]


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (
            Image("data:image/png;base64,AA=="),
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/png", "data": "AA=="},
            },
        ),
        (
            Image("https://a.test/b.png", detail="low"),
            {"type": "image", "source": {"type": "url", "url": "https://a.test/b.png"}},
        ),
        (
            Image(file_id="file_1"),
            {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
        ),
        (
            File(PDF, name="b.pdf"),
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="},
                "title": "b.pdf",
            },
        ),
        (
            File("data:text/plain;base64,SMOpbMOobmU="),
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "Hélène"},
            },
        ),
        (
            File("https://a.test/b.pdf"),
            {"type": "document", "source": {"type": "url", "url": "https://a.test/b.pdf"}},
        ),
    ],
)
def test_media_goes_as_bytes_address_or_file(part: Any, block: dict[str, Any]) -> None:
    assert blocks(part) == [block]


@pytest.mark.parametrize(
    "part",
    [
        Audio("data:audio/wav;base64,AA=="),
        Image("data:image/tiff;base64,AA=="),
        File("data:application/zip;base64,AA=="),
        File("data:text/plain;base64,_w=="),
    ],
)
def test_what_anthropic_cannot_take_is_refused_by_the_place_of_the_part(part: Any) -> None:
    said = (Message.of(Role.SYSTEM, "Be brief."), Message(Role.USER, (Text("Look"), part)))
    with pytest.raises(InvalidRequest) as caught:
        body(messages=said)
    assert caught.value.param == "messages.1.content.1"


def test_own_sealed_thoughts_go_back_in_their_order_and_others_stay_here() -> None:
    sent = blocks(
        Reasoning("Hm.", "seal", wire="anthropic_messages"),
        Reasoning("", "dark", wire="anthropic_messages", is_redacted=True),
        Reasoning("old", "kept"),
        Reasoning("unsealed"),
        Reasoning("foreign", "seal", wire="gemini"),
        Refusal("No."),
        ToolCall("a", "f", "{oops"),
        role=Role.ASSISTANT,
    )
    assert sent == [
        {"type": "thinking", "thinking": "Hm.", "signature": "seal"},
        {"type": "redacted_thinking", "data": "dark"},
        {"type": "thinking", "thinking": "old", "signature": "kept"},
        {"type": "text", "text": "No."},
        {"type": "tool_use", "id": "a", "name": "f", "input": {"malformed": "{oops"}},
    ]


@pytest.mark.parametrize(
    ("model", "effort", "sent"),
    [
        (HAIKU, Effort.NONE, {}),
        (HAIKU, Effort.MINIMAL, {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
        (HAIKU, Effort.HIGH, {"thinking": {"type": "enabled", "budget_tokens": 8000}}),
        (
            "claude-3-7-sonnet-20250219",
            Effort.MEDIUM,
            {"thinking": {"type": "enabled", "budget_tokens": 5000}},
        ),
        (
            OPUS_46,
            Effort.MINIMAL,
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
        ),
        (OPUS_46, Effort.NONE, {}),
        (
            SONNET,
            Effort.HIGH,
            {
                "thinking": {"type": "adaptive", "display": "summarized"},
                "output_config": {"effort": "high"},
            },
        ),
        (SONNET, Effort.NONE, {"thinking": {"type": "disabled"}}),
        (OPUS_55, Effort.NONE, {"output_config": {"effort": "low"}}),
        ("claude-mythos-preview", Effort.NONE, {"output_config": {"effort": "low"}}),
        (
            "another-makers-model",
            Effort.LOW,
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
        ),
    ],
)
def test_the_effort_is_a_budget_or_a_level_as_the_model_has_it(
    model: str, effort: Effort, sent: dict[str, Any]
) -> None:
    assert body(model, effort=effort) == {**body(model), **sent}


@pytest.mark.parametrize(
    ("model", "fields", "param"),
    [
        (HAIKU, {"effort": Effort.LOW, "max_output_tokens": 500}, "max_tokens"),
        (HAIKU, {"effort": Effort.LOW, "temperature": 0.2}, "temperature"),
        (HAIKU, {"effort": Effort.LOW, "tool_choice": "required"}, "tool_choice"),
        (SONNET, {"temperature": 0.2}, "temperature"),
        (SONNET, {"top_p": 0.5}, "top_p"),
        (OPUS_55, {"tool_choice": "required"}, "tool_choice"),
        (
            "claude-opus-4-1",
            {"response_schema": ResponseSchema({"type": "object"})},
            "response_format",
        ),
    ],
)
def test_what_a_model_is_known_to_refuse_is_refused_here_in_better_words(
    model: str, fields: dict[str, Any], param: str
) -> None:
    tools = (Tool("f", "F.", {"type": "object"}),)
    with pytest.raises(InvalidRequest) as caught:
        body(model, tools=tools, **fields)
    assert caught.value.param == param


def test_the_usual_temperature_is_left_out_where_there_is_none() -> None:
    assert "temperature" not in body(SONNET, temperature=1.0)
    assert body(OPUS_46, temperature=1.7)["temperature"] == 1.0


def test_a_schema_is_native_and_its_objects_are_closed() -> None:
    open_schema = {
        "type": "object",
        "properties": {"a": {"type": "array", "items": {"type": "object", "properties": {}}}},
    }
    sent = body(SONNET, response_schema=ResponseSchema(open_schema), effort=Effort.LOW)
    assert sent["output_config"] == {
        "effort": "low",
        "format": {
            "type": "json_schema",
            "schema": {
                "type": "object",
                "properties": {
                    "a": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {},
                            "additionalProperties": False,
                        },
                    }
                },
                "additionalProperties": False,
            },
        },
    }
    assert "additionalProperties" not in open_schema


def test_any_object_is_asked_for_in_words() -> None:
    sent = body(response_schema=ResponseSchema())
    assert "one JSON object" in sent["system"]
    assert "output_config" not in sent


def test_a_strict_tool_says_so_and_a_plain_one_is_as_it_came() -> None:
    schema = {"type": "object", "properties": {}}
    plain, strict = body(tools=(Tool("f", "F.", schema), Tool("g", "G.", schema, strict=True)))[
        "tools"
    ]
    assert plain == {"name": "f", "description": "F.", "input_schema": schema}
    assert strict["strict"] is True
    assert strict["input_schema"] == {**schema, "additionalProperties": False}


def test_options_are_joined_and_bounds_stay() -> None:
    search = {"type": "web_search_20250305", "name": "web_search"}
    options = {
        "anthropic_messages": {"service_tier": "auto", "max_tokens": 10**9, "tools": [search]},
        "acme": {"output_config": {"effort": "high"}},
    }
    tool = Tool("f", "F.", {"type": "object"})
    sent = body(SONNET, tools=(tool,), provider_options=options, max_output_tokens=5)
    assert (sent["service_tier"], sent["max_tokens"]) == ("auto", 5)
    assert sent["output_config"] == {"effort": "high"}
    assert [each["name"] for each in sent["tools"]] == ["f", "web_search"]


def test_the_searches_of_a_server_are_always_bounded() -> None:
    search = {"type": "web_search_20250305", "name": "web_search"}
    raw = {"messages": [], "tools": [search, {**search, "max_uses": 9}]}
    sent = body(raw=RawBody("anthropic_messages", raw, {}, 10))
    assert [tool["max_uses"] for tool in sent["tools"]] == [5, 9]
