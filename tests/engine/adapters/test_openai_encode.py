from __future__ import annotations

from typing import Any

import orjson
import pytest

from providers.engine.adapters.openai_chat.encode import encoded
from providers.engine.errors import InvalidRequest
from providers.engine.presets import PRESETS
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
    ToolResult,
)
from tests.fakes import a_deployment, a_request


def body(raw: dict[str, Any] | None = None, preset: str = "", **fields: Any) -> Any:
    kept = None if raw is None else RawBody("openai_chat", raw, {}, 10)
    options = PRESETS[preset].options if preset else {}
    deployment = a_deployment(kind="openai_chat", provider="acme", options=options)
    return orjson.loads(encoded(a_request(raw=kept, **fields), deployment))


def messages(*parts: Any, role: Role = Role.USER, preset: str = "") -> Any:
    return body(messages=(Message(role, parts),), preset=preset)["messages"]


def test_a_stream_always_asks_for_usage_and_keeps_the_callers_other_options() -> None:
    assert body()["stream_options"] == {"include_usage": True}
    raw = {"stream_options": {"include_usage": False, "include_obfuscation": False}}
    assert body(raw)["stream_options"] == {"include_usage": True, "include_obfuscation": False}
    assert "stream_options" not in body(raw, stream=False)
    assert "stream_options" not in body(preset="mistral")


@pytest.mark.parametrize(
    ("preset", "raw", "field"),
    [
        ("vllm", None, "max_tokens"),
        ("vllm", {"max_completion_tokens": 5}, "max_completion_tokens"),
        ("openai", None, "max_completion_tokens"),
        ("openai", {"max_tokens": 5}, "max_completion_tokens"),
        ("mistral", {"max_completion_tokens": 5}, "max_tokens"),
    ],
)
def test_the_output_limit_has_one_name_that_the_server_takes(
    preset: str, raw: dict[str, Any] | None, field: str
) -> None:
    sent = body(raw, preset)
    assert {"max_tokens", "max_completion_tokens"} & set(sent) == {field}


def test_unset_is_not_sent() -> None:
    assert set(body(stream=False)) == {"messages", "model", "max_tokens", "stream"}


def test_zero_is_sent() -> None:
    assert body(temperature=0.0, seed=0)["temperature"] == 0
    assert body(temperature=0.0, seed=0)["seed"] == 0


def test_a_developer_is_a_system_to_those_who_do_not_know_him() -> None:
    said = (Message.of(Role.DEVELOPER, "Be brief."), Message.of(Role.USER, "Hi"))
    assert body(messages=said)["messages"][0]["role"] == "system"
    assert body(messages=said, preset="openai")["messages"][0]["role"] == "developer"


def test_each_tool_result_is_a_message_and_thoughts_stay_here() -> None:
    said = (
        Message(Role.USER, (Text("What?"), Image("https://example.com/a.png"))),
        Message(
            Role.ASSISTANT, (Reasoning("Hm."), ToolCall("a", "f", "{}"), ToolCall("b", "f", ""))
        ),
        Message(Role.TOOL, (ToolResult("a", "1"), ToolResult("b", "2"))),
    )
    asked, called, *results = body(messages=said)["messages"]
    assert [part["type"] for part in asked["content"]] == ["text", "image_url"]
    assert called["content"] is None
    assert [call["id"] for call in called["tool_calls"]] == ["a", "b"]
    assert [(r["role"], r["tool_call_id"], r["content"]) for r in results] == [
        ("tool", "a", "1"),
        ("tool", "b", "2"),
    ]


PDF = "data:application/pdf;base64,JVBERg=="
WAV = "data:audio/wav;base64,UklGRg=="


def test_an_image_keeps_its_detail() -> None:
    (sent,) = messages(Image("https://example.com/a.png", detail="low"))
    assert sent["content"] == [
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}}
    ]


def test_sound_goes_as_its_bytes_with_its_format() -> None:
    (sent,) = messages(Text("Listen"), Audio(WAV))
    assert sent["content"][1] == {
        "type": "input_audio",
        "input_audio": {"data": "UklGRg==", "format": "wav"},
    }


@pytest.mark.parametrize(
    ("preset", "part", "sent"),
    [
        ("", File(PDF), {"type": "file", "file": {"filename": "file.pdf", "file_data": PDF}}),
        ("", File(file_id="file_1"), {"type": "file", "file": {"file_id": "file_1"}}),
        (
            "openrouter",
            File("https://a.test/b.pdf", name="b.pdf"),
            {"type": "file", "file": {"filename": "b.pdf", "file_data": "https://a.test/b.pdf"}},
        ),
        ("mistral", File(PDF), {"type": "document_url", "document_url": PDF}),
    ],
)
def test_a_file_goes_the_way_that_the_server_takes(
    preset: str, part: File, sent: dict[str, Any]
) -> None:
    (message,) = messages(part, preset=preset)
    assert message["content"] == [sent]


@pytest.mark.parametrize(
    "part",
    [
        Audio("https://example.com/a.wav"),
        Audio("data:audio/ogg;base64,AA=="),
        Audio(file_id="file_1"),
        Image(file_id="file_1"),
        File("https://example.com/a.pdf"),
    ],
)
def test_what_the_wire_cannot_carry_is_refused_by_the_place_of_the_part(part: Any) -> None:
    said = (Message.of(Role.SYSTEM, "Be brief."), Message(Role.USER, (Text("Look"), part)))
    with pytest.raises(InvalidRequest) as caught:
        body(messages=said)
    assert caught.value.param == "messages.1.content.1"


def test_a_refusal_goes_back_into_its_own_field_or_as_the_models_own_words() -> None:
    (own,) = messages(Refusal("No."), role=Role.ASSISTANT, preset="openai")
    assert own == {"role": "assistant", "content": None, "refusal": "No."}
    (words,) = messages(Refusal("No."), role=Role.ASSISTANT)
    assert words == {"role": "assistant", "content": "No."}


CALL = ToolCall("a", "f", "{}")


def test_deepseek_is_shown_its_thoughts_again_also_where_there_were_none() -> None:
    (sent,) = messages(Reasoning("Hm."), CALL, role=Role.ASSISTANT, preset="deepseek")
    assert sent["reasoning_content"] == "Hm."
    (silent,) = messages(CALL, role=Role.ASSISTANT, preset="deepseek")
    assert silent["reasoning_content"] == ""


def test_thoughts_of_another_wire_are_not_passed_off_as_the_models_own() -> None:
    foreign = Reasoning("Hm.", "seal", wire="anthropic_messages")
    (sent,) = messages(foreign, Text("So."), role=Role.ASSISTANT, preset="deepseek")
    assert "reasoning_content" not in sent
    (routed,) = messages(foreign, Text("So."), role=Role.ASSISTANT, preset="openrouter")
    assert "reasoning_details" not in routed


def test_sealed_details_go_back_to_openrouter_as_they_came() -> None:
    details = [{"type": "reasoning.encrypted", "data": "abc", "index": 0}]
    part = Reasoning("", orjson.dumps(details).decode(), wire="openai_chat", is_redacted=True)
    (sent,) = messages(part, Text("So."), role=Role.ASSISTANT, preset="openrouter")
    assert sent["reasoning_details"] == details


SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


def test_json_is_asked_for_with_a_schema_or_without() -> None:
    sent = body(response_schema=ResponseSchema(SCHEMA, "card"))
    assert sent["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "card", "schema": SCHEMA, "strict": True},
    }
    assert body(response_schema=ResponseSchema())["response_format"] == {"type": "json_object"}


def test_a_server_that_knows_one_way_to_json_is_asked_in_it_or_the_caller_is_told() -> None:
    studio = body(response_schema=ResponseSchema(), preset="lmstudio")["response_format"]
    assert studio["json_schema"]["schema"] == {"type": "object"}
    assert body(response_schema=ResponseSchema(), preset="deepseek")["response_format"] == {
        "type": "json_object"
    }
    with pytest.raises(InvalidRequest, match="not to a schema"):
        body(response_schema=ResponseSchema(SCHEMA), preset="deepseek")


@pytest.mark.parametrize(
    ("preset", "effort", "sent"),
    [
        ("openai", Effort.MINIMAL, {"reasoning_effort": "minimal"}),
        ("groq", Effort.MINIMAL, {"reasoning_effort": "low"}),
        ("openrouter", Effort.HIGH, {"reasoning": {"effort": "high"}}),
        ("deepseek", Effort.NONE, {"thinking": {"type": "disabled"}}),
        ("deepseek", Effort.MEDIUM, {"reasoning_effort": "medium"}),
        ("mistral", Effort.NONE, {"reasoning_effort": "none"}),
    ],
)
def test_the_effort_is_said_in_the_vendors_way(
    preset: str, effort: Effort, sent: dict[str, Any]
) -> None:
    plain = body(preset=preset, stream=False)
    assert body(preset=preset, stream=False, effort=effort) == {**plain, **sent}


def test_mistral_has_its_own_name_for_the_seed() -> None:
    sent = body(seed=7, preset="mistral")
    assert sent["random_seed"] == 7
    assert "seed" not in sent


def test_where_no_tool_can_be_named_only_that_one_is_sent_and_required() -> None:
    tools = (Tool("f", "F.", {}), Tool("g", "G.", {}, strict=True))
    named = body(tools=tools, tool_choice="g", preset="llamacpp")
    assert [tool["function"]["name"] for tool in named["tools"]] == ["g"]
    assert named["tool_choice"] == "required"
    assert named["tools"][0]["function"]["strict"] is True
    usual = body(tools=tools, tool_choice="g")
    assert len(usual["tools"]) == 2
    assert usual["tool_choice"] == {"type": "function", "function": {"name": "g"}}
    assert "strict" not in usual["tools"][0]["function"]


def test_options_for_the_kind_and_for_the_provider_are_put_in_and_bounds_stay() -> None:
    options = {
        "openai_chat": {"logprobs": True, "user": "x", "max_tokens": 10**9, "n": 50},
        "acme": {"user": "y"},
        "other": {"user": "z"},
    }
    sent = body(provider_options=options, max_output_tokens=5)
    assert (sent["logprobs"], sent["user"], sent["max_tokens"], sent["n"]) == (True, "y", 5, 1)
