"""What is the Responses wire's own: items, sealed thoughts, refusals, failures in a good stream."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers.engine.adapters.openai_responses.encode import encoded
from providers.engine.errors import (
    ContentBlocked,
    ContextTooLong,
    EngineError,
    InvalidRequest,
    QuotaExhausted,
    StreamCut,
    UpstreamGarbled,
    UpstreamOverloaded,
    UpstreamRejected,
    UpstreamThrottled,
    UpstreamUnavailable,
)
from providers.engine.events import (
    CONTENT,
    Citation,
    Citations,
    Event,
    Finish,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    ToolCalled,
    UsageReported,
)
from providers.engine.request import (
    Audio,
    Effort,
    File,
    Image,
    Message,
    Reasoning,
    Refusal,
    ResponseSchema,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from tests.engine.adapters.replay import Replay, sse
from tests.fakes import a_deployment, a_request

DONE = {"type": "response.completed", "response": {"status": "completed", "output": []}}
PDF = "data:application/pdf;base64,aGk="


def body(model: str = "gpt-4.1", **fields: Any) -> dict[str, Any]:
    deployment = a_deployment(kind="openai_responses", model=model, max_output_tokens=100)
    return json.loads(encoded(a_request(**fields), deployment))


async def heard(*events: dict[str, Any], end: dict[str, Any] = DONE) -> list[Event]:
    return await Replay("openai_responses", sse(*events, end, named=True)).events()


def test_a_history_becomes_one_flat_list_of_items() -> None:
    sealed = Reasoning("Hm.", "sealed", "rs_1", "openai_responses")
    messages = (
        Message.of(Role.DEVELOPER, "Be brief."),
        Message.of(Role.USER, "Look"),
        Message(Role.ASSISTANT, (sealed, Text("I look."), ToolCall("a", "look", ""))),
        Message(Role.TOOL, (ToolResult("a", "blue"),)),
        Message(Role.ASSISTANT, (Refusal("No."),)),
    )
    assert body(messages=messages)["input"] == [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "Look"},
        {
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "Hm."}],
            "id": "rs_1",
            "encrypted_content": "sealed",
        },
        {"role": "assistant", "content": "I look."},
        {"type": "function_call", "call_id": "a", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": "blue"},
        {"role": "assistant", "content": "No."},
    ]


@pytest.mark.parametrize(
    "thought", [Reasoning("Hm.", "sig", wire="gemini"), Reasoning("Hm."), Reasoning("", None)]
)
def test_thoughts_that_nobody_can_open_there_stay_here(thought: Reasoning) -> None:
    messages = (Message(Role.ASSISTANT, (thought, Text("Hi"))),)
    assert body(messages=messages)["input"] == [{"role": "assistant", "content": "Hi"}]


def test_nothing_is_stored_there_and_seals_are_asked_of_models_that_think() -> None:
    assert (body()["store"], "include" in body(), "include" in body("gpt-5-chat-latest")) == (
        False,
        False,
        False,
    )
    for model in ("gpt-5", "gpt-5.4-mini", "o3", "o4-mini"):
        assert body(model)["include"] == ["reasoning.encrypted_content"]


def test_media_take_their_own_forms() -> None:
    parts = (
        Text("See"),
        Image("https://example.com/a.png", detail="low"),
        Image(file_id="file-1"),
        Audio("data:audio/mpeg;base64,aGk="),
        File(PDF, name="a.pdf"),
        File("https://example.com/a.pdf"),
        File(file_id="file-2"),
    )
    (message,) = body(messages=(Message(Role.USER, parts),))["input"]
    assert message["content"] == [
        {"type": "input_text", "text": "See"},
        {"type": "input_image", "detail": "low", "image_url": "https://example.com/a.png"},
        {"type": "input_image", "detail": "auto", "file_id": "file-1"},
        {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "mp3"}},
        {"type": "input_file", "filename": "a.pdf", "file_data": PDF},
        {"type": "input_file", "file_url": "https://example.com/a.pdf"},
        {"type": "input_file", "file_id": "file-2"},
    ]


@pytest.mark.parametrize(
    "part", [Image(), File(), Audio("https://a.example/a.wav"), Audio("data:audio/ogg;base64,aGk=")]
)
def test_media_that_it_does_not_take_are_refused_before_they_are_sent(part: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        body(messages=(Message(Role.USER, (Text("See"), part)),))
    assert caught.value.param == "messages.0.content.1"


def test_tools_choice_schema_and_effort() -> None:
    tool = Tool("look", "Looks.", {"type": "object"}, strict=True)
    sent = body(
        tools=(tool,),
        tool_choice="look",
        response_schema=ResponseSchema({"type": "object"}, name="sky"),
        effort=Effort.LOW,
        temperature=0.0,
    )
    assert sent["tools"][0]["strict"] is True
    assert sent["tool_choice"] == {"type": "function", "name": "look"}
    assert sent["text"]["format"] == {
        "type": "json_schema",
        "name": "sky",
        "strict": True,
        "schema": {"type": "object"},
    }
    assert sent["reasoning"] == {"effort": "low", "summary": "auto"}
    assert sent["temperature"] == 0
    assert body(response_schema=ResponseSchema())["text"] == {"format": {"type": "json_object"}}
    assert body(effort=Effort.NONE)["reasoning"] == {"effort": "none"}


def test_unset_is_not_sent() -> None:
    assert set(body()) == {"input", "store", "model", "max_output_tokens", "stream"}


def test_no_option_outgrows_the_hold_or_outlives_the_connection() -> None:
    options = {"openai_responses": {"max_output_tokens": 10**6, "background": True, "top_k": 1}}
    sent = body(provider_options=options)
    assert (sent["max_output_tokens"], "background" in sent, sent["top_k"]) == (100, False, 1)


async def test_a_created_response_is_no_content_and_an_error_after_it_an_error() -> None:
    created = {"type": "response.created", "response": {"status": "in_progress"}}
    events: list[Event] = []
    failed = {"type": "error", "error": {"code": "rate_limit_exceeded", "message": "slow"}}
    replay = Replay("openai_responses", sse(created, failed, named=True))
    with pytest.raises(UpstreamThrottled):
        await replay.events(into=events)
    assert not [event for event in events if isinstance(event, CONTENT)]


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ({"type": "error", "code": "server_error", "message": "m"}, UpstreamUnavailable),
        ({"type": "error", "error": {"code": "context_length_exceeded"}}, ContextTooLong),
        ({"type": "error", "error": {"type": "invalid_request_error"}}, UpstreamRejected),
        (
            {"type": "response.failed", "response": {"error": {"code": "insufficient_quota"}}},
            QuotaExhausted,
        ),
        (
            {"type": "response.failed", "response": {"error": {"code": "invalid_prompt"}}},
            ContentBlocked,
        ),
        (
            {"type": "response.failed", "response": {"error": {"code": "image_too_large"}}},
            UpstreamRejected,
        ),
        (
            {"type": "response.failed", "response": {"error": {"code": "server_is_overloaded"}}},
            UpstreamOverloaded,
        ),
        ({"type": "response.failed", "response": {"error": None}}, UpstreamUnavailable),
        ({"error": {"code": "server_error"}}, UpstreamUnavailable),
    ],
)
async def test_an_error_is_read_flat_nested_or_in_a_failed_response(
    said: dict[str, Any], kind: type[EngineError]
) -> None:
    with pytest.raises(EngineError) as caught:
        await Replay("openai_responses", sse(said)).events()
    assert type(caught.value) is kind


async def test_done_without_a_terminal_event_is_a_cut() -> None:
    with pytest.raises(StreamCut):
        await Replay("openai_responses", sse("[DONE]")).events()


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("max_output_tokens", FinishReason.LENGTH),
        ("content_filter", FinishReason.CONTENT_FILTER),
        ("news", FinishReason.LENGTH),
    ],
)
async def test_an_incomplete_response_says_why(reason: str, finish: FinishReason) -> None:
    response = {"status": "incomplete", "incomplete_details": {"reason": reason}}
    events = await heard(end={"type": "response.incomplete", "response": response})
    assert events[-1] == Finish(finish)


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        ({"status": "in_progress"}, UpstreamGarbled),
        ({"status": "failed", "error": {"code": "server_error"}}, UpstreamUnavailable),
    ],
)
async def test_a_plain_response_that_is_not_finished_is_no_answer(
    response: dict[str, Any], kind: type[EngineError]
) -> None:
    replay = Replay("openai_responses", [json.dumps(response).encode()])
    with pytest.raises(kind):
        await replay.events(a_request(stream=False))


async def test_a_refusal_is_told_from_an_answer() -> None:
    said = {"type": "response.refusal.delta", "output_index": 0, "delta": "No."}
    events = await heard(said)
    assert [(e.text, e.is_refusal) for e in events if isinstance(e, TextDelta)] == [("No.", True)]


async def test_the_seal_of_the_finished_thought_comes_back_with_all_of_it() -> None:
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "early"}
    done = {
        **item,
        "summary": [{"type": "summary_text", "text": "A"}, {"type": "summary_text", "text": "B"}],
        "encrypted_content": "whole",
    }
    events = await heard(
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.reasoning_summary_text.delta", "output_index": 0, "delta": "A"},
        {"type": "response.reasoning_summary_part.added", "output_index": 0, "summary_index": 1},
        {"type": "response.reasoning_summary_text.delta", "output_index": 0, "delta": "B"},
        {"type": "response.output_item.done", "output_index": 0, "item": done},
    )
    thoughts = [event for event in events if isinstance(event, ReasoningDelta)]
    assert "".join(thought.text for thought in thoughts) == "A\n\nB"
    assert thoughts[-1].replay == Reasoning("A\n\nB", "whole", "rs_1", "openai_responses")


async def test_a_sealed_thought_without_words_is_kept_too() -> None:
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "whole"}
    events = await heard({"type": "response.output_item.done", "output_index": 0, "item": item})
    (thought,) = [event for event in events if isinstance(event, ReasoningDelta)]
    assert thought.replay is not None
    assert thought.replay.is_redacted
    (sent,) = body(messages=(Message(Role.ASSISTANT, (thought.replay,)),))["input"]
    assert (sent["summary"], sent["encrypted_content"]) == ([], "whole")


async def test_a_call_that_comes_only_when_it_is_done_is_whole() -> None:
    item = {"type": "function_call", "call_id": "a", "name": "look", "arguments": '{"x":1}'}
    begun = {**item, "arguments": ""}
    late = [{"type": "response.output_item.done", "output_index": 4, "item": item}]
    both = [{"type": "response.output_item.added", "output_index": 4, "item": begun}, *late]
    for said in (late, both):
        calls = [event for event in await heard(*said) if isinstance(event, ToolCalled)]
        assert calls == [ToolCalled(0, ToolCall("a", "look", '{"x":1}'))]


async def test_citations_count_from_the_begin_of_the_answer() -> None:
    note = {
        "type": "url_citation",
        "url": "https://a.example",
        "title": "A",
        "start_index": 1,
        "end_index": 3,
    }
    where = {"output_index": 1, "content_index": 0}
    events = await heard(
        {"type": "response.output_text.delta", "output_index": 0, "delta": "Hello"},
        {"type": "response.output_text.delta", "delta": "World", **where},
        {"type": "response.output_text.annotation.added", "annotation": note, **where},
        {
            "type": "response.output_text.annotation.added",
            "annotation": {"type": "file_citation", "filename": "a.pdf", "index": 2},
            **where,
        },
    )
    (found,) = [event for event in events if isinstance(event, Citations)]
    assert found.items == (
        Citation("https://a.example", "A", "", 6, 8),
        Citation("", "a.pdf"),
    )


async def test_tools_that_run_there_are_counted_and_opened_pages_are_no_searches() -> None:
    items: list[dict[str, Any]] = [
        {"type": "web_search_call", "action": {"type": "search"}},
        {"type": "web_search_call", "action": {"type": "open_page"}},
        {"type": "code_interpreter_call"},
        {"type": "message", "content": []},
    ]
    response = {"status": "completed", "output": items, "usage": {"input_tokens": 3}}
    replay = Replay("openai_responses", [json.dumps(response).encode()])
    events = await replay.events(a_request(stream=False))
    (usage,) = [event.usage for event in events if isinstance(event, UsageReported)]
    assert (usage.input_tokens, usage.web_searches, usage.server_tool_calls) == (3, 1, 3)


async def test_a_check_counts_the_models() -> None:
    replay = Replay("openai_responses", [b'{"data": [{}, {}, {}]}'])
    assert await replay.adapter().check(a_deployment(kind="openai_responses"), "sk") == 3
