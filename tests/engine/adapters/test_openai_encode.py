from __future__ import annotations

from typing import Any

import orjson
import pytest

from providers.engine.adapters.openai_chat.encode import encoded
from providers.engine.request import (
    Image,
    Message,
    RawBody,
    Reasoning,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
from tests.fakes import a_deployment, a_request

OPENAI = "https://api.openai.com/v1"


def body(raw: dict[str, Any] | None = None, at: dict[str, Any] | None = None, **fields: Any) -> Any:
    kept = None if raw is None else RawBody("openai_chat", raw, {}, 10)
    return orjson.loads(encoded(a_request(raw=kept, **fields), a_deployment(**(at or {}))))


def test_a_stream_always_asks_for_usage_and_keeps_the_callers_other_options() -> None:
    assert body()["stream_options"] == {"include_usage": True}
    raw = {"stream_options": {"include_usage": False, "include_obfuscation": False}}
    assert body(raw)["stream_options"] == {"include_usage": True, "include_obfuscation": False}
    assert "stream_options" not in body(raw, stream=False)
    assert "stream_options" not in body(at={"options": {"stream_options": "off"}})


@pytest.mark.parametrize(
    ("base_url", "raw", "field"),
    [
        ("http://vllm/v1", None, "max_tokens"),
        ("http://vllm/v1", {"max_completion_tokens": 5}, "max_completion_tokens"),
        (OPENAI, None, "max_completion_tokens"),
        (OPENAI, {"max_tokens": 5}, "max_completion_tokens"),
    ],
)
def test_the_output_limit_has_one_name_that_the_server_takes(
    base_url: str, raw: dict[str, Any] | None, field: str
) -> None:
    sent = body(raw, {"base_url": base_url})
    assert {"max_tokens", "max_completion_tokens"} & set(sent) == {field}


def test_unset_is_not_sent() -> None:
    assert set(body(stream=False)) == {"messages", "model", "max_tokens", "stream"}


def test_zero_is_sent() -> None:
    assert body(temperature=0.0, seed=0)["temperature"] == 0
    assert body(temperature=0.0, seed=0)["seed"] == 0


def test_a_developer_is_a_system_to_those_who_do_not_know_him() -> None:
    messages = (Message.of(Role.DEVELOPER, "Be brief."), Message.of(Role.USER, "Hi"))
    assert body(messages=messages)["messages"][0]["role"] == "system"
    at_openai = body(messages=messages, at={"base_url": OPENAI})
    assert at_openai["messages"][0]["role"] == "developer"


def test_each_tool_result_is_a_message_and_thoughts_stay_here() -> None:
    messages = (
        Message(Role.USER, (Text("What?"), Image("https://example.com/a.png"))),
        Message(
            Role.ASSISTANT, (Reasoning("Hm."), ToolCall("a", "f", "{}"), ToolCall("b", "f", ""))
        ),
        Message(Role.TOOL, (ToolResult("a", "1"), ToolResult("b", "2"))),
    )
    asked, called, *results = body(messages=messages)["messages"]
    assert [part["type"] for part in asked["content"]] == ["text", "image_url"]
    assert called["content"] is None
    assert [call["id"] for call in called["tool_calls"]] == ["a", "b"]
    assert [(r["role"], r["tool_call_id"], r["content"]) for r in results] == [
        ("tool", "a", "1"),
        ("tool", "b", "2"),
    ]
