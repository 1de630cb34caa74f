"""Events as OpenAI's chunks and bodies."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import orjson
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from providers.engine.events import (
    Citation,
    Citations,
    Event,
    Finish,
    FinishReason,
    Notice,
    NoticeKind,
    ReasoningDelta,
    Start,
    TextDelta,
    ToolCallDelta,
    ToolCalled,
)
from providers.engine.request import CompletionRequest, Message, Role, ToolCall
from providers.engine.usage import Usage, dollars
from providers.wire.chat_answer import Chunks, Gathered, usage_body

REQUEST = CompletionRequest(id=uuid4(), route="demo", messages=(Message.of(Role.USER, "hi"),))


def chunks_of(*events: Event, include_usage: bool = False) -> list[dict[str, Any]]:
    chunks = Chunks(REQUEST, 7, include_usage=include_usage)
    written = [chunks.first(), *(chunks.of(event) for event in events)]
    return [orjson.loads(each.removeprefix(b"data: ")) for each in written if each]


def test_chunks_are_what_the_sdk_declares() -> None:
    for chunk in chunks_of(TextDelta("a"), Finish(FinishReason.STOP), include_usage=True):
        ChatCompletionChunk.model_validate(chunk, strict=False)


def test_every_chunk_has_the_same_identity() -> None:
    chunks = chunks_of(TextDelta("a"), ReasoningDelta("b"), Finish(FinishReason.STOP))
    assert {(each["id"], each["created"], each["model"]) for each in chunks} == {
        (f"chatcmpl-{REQUEST.id.hex}", 7, "demo")
    }


def test_text_survives_whatever_it_holds() -> None:
    nasty = 'quote " backslash \\ newline \n nul \0 emoji \U0001f600 line separator \u2028'
    assert chunks_of(TextDelta(nasty))[1]["choices"][0]["delta"]["content"] == nasty


def test_usage_is_null_in_other_chunks_only_when_it_was_asked_for() -> None:
    assert "usage" not in chunks_of(TextDelta("a"))[1]
    assert chunks_of(TextDelta("a"), include_usage=True)[1]["usage"] is None


def test_the_usage_chunk_has_no_choices() -> None:
    written = Chunks(REQUEST, 7, include_usage=True).usage(Usage(9, 5, 2, 0, 1), 1_500)
    chunk = orjson.loads(written.removeprefix(b"data: "))
    assert chunk["choices"] == []
    assert chunk["usage"] == {
        "prompt_tokens": 9,
        "completion_tokens": 5,
        "total_tokens": 14,
        "prompt_tokens_details": {"cached_tokens": 2, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 1, "audio_tokens": 0},
        "cost_usd": "0.000001500",
    }


def test_only_the_first_fragment_of_a_tool_call_names_it() -> None:
    chunks = chunks_of(
        ToolCallDelta(0, "", "a", "add"),
        ToolCallDelta(0, '{"x":1}'),
        ToolCallDelta(1, "{}", "b", "sub"),
        ToolCalled(0, ToolCall("a", "add", '{"x":1}')),
        ToolCalled(1, ToolCall("b", "sub", "{}")),
    )
    fragments = [each["choices"][0]["delta"]["tool_calls"][0] for each in chunks[1:]]
    assert fragments == [
        {
            "index": 0,
            "id": "a",
            "type": "function",
            "function": {"name": "add", "arguments": ""},
        },
        {"index": 0, "function": {"arguments": '{"x":1}'}},
        {"index": 1, "id": "b", "type": "function", "function": {"name": "sub", "arguments": "{}"}},
    ]


def test_a_call_that_came_whole_is_sent_as_one_fragment() -> None:
    chunks = chunks_of(ToolCalled(0, ToolCall("a", "add", "{}")))
    assert chunks[1]["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"] == "{}"


def test_the_seal_of_a_call_follows_it_in_chunks_and_stands_in_the_whole_answer() -> None:
    sealed = ToolCalled(0, ToolCall("a", "add", "{}", "seal"))
    _, fragment, rest = chunks_of(ToolCallDelta(0, "{}", "a", "add"), sealed)
    extra = {"google": {"thought_signature": "seal"}}
    assert "extra_content" not in fragment["choices"][0]["delta"]["tool_calls"][0]
    assert rest["choices"][0]["delta"]["tool_calls"] == [
        {"index": 0, "function": {"arguments": ""}, "extra_content": extra}
    ]
    gathered = Gathered()
    gathered.add(sealed)
    (call,) = gathered.body(REQUEST, 7)["choices"][0]["message"]["tool_calls"]
    assert call["extra_content"] == extra


def test_a_refusal_is_no_content() -> None:
    refused = TextDelta("No.", is_refusal=True)
    assert chunks_of(refused)[1]["choices"][0]["delta"] == {"refusal": "No."}
    gathered = Gathered()
    gathered.add(refused)
    message = gathered.body(REQUEST, 7)["choices"][0]["message"]
    assert (message["content"], message["refusal"]) == (None, "No.")


def test_citations_are_annotations() -> None:
    cited = Citations((Citation("https://a.example", "A", "", 0, 3), Citation("https://b.example")))
    notes = [
        {
            "type": "url_citation",
            "url_citation": {
                "url": "https://a.example",
                "title": "A",
                "start_index": 0,
                "end_index": 3,
            },
        },
        {"type": "url_citation", "url_citation": {"url": "https://b.example", "title": ""}},
    ]
    assert chunks_of(cited)[1]["choices"][0]["delta"]["annotations"] == notes
    gathered = Gathered()
    gathered.add(cited)
    assert gathered.body(REQUEST, 7)["choices"][0]["message"]["annotations"] == notes


def test_a_seal_without_a_thought_is_no_chunk() -> None:
    assert len(chunks_of(ReasoningDelta(""))) == 1


def test_what_this_wire_does_not_carry_is_left_out() -> None:
    assert len(chunks_of(Start("p/m", 1), Notice(NoticeKind.RETRY, "again"))) == 1


def test_a_gathered_answer_is_what_the_sdk_declares() -> None:
    gathered = Gathered()
    for event in (
        TextDelta("a"),
        TextDelta("b"),
        ToolCalled(1, ToolCall("y", "sub", "{}")),
        ToolCalled(0, ToolCall("x", "add", "{}")),
        Finish(FinishReason.TOOL_CALLS),
    ):
        gathered.add(event)
    body = gathered.body(REQUEST, 7) | {"usage": usage_body(Usage(1, 2), None)}
    completion = ChatCompletion.model_validate(orjson.loads(orjson.dumps(body)))
    message = completion.choices[0].message
    assert message.content == "ab"
    assert [call.id for call in message.tool_calls or []] == ["x", "y"]
    assert completion.choices[0].finish_reason == "tool_calls"


def test_an_answer_of_tool_calls_alone_has_null_content() -> None:
    gathered = Gathered()
    gathered.add(ToolCalled(0, ToolCall("x", "add", "{}")))
    assert gathered.body(REQUEST, 7)["choices"][0]["message"]["content"] is None


def test_unknown_cost_is_not_zero() -> None:
    assert dollars(None) is None
    assert dollars(0) == "0.000000000"
    assert dollars(12_345_678_901_234_567) == "12345678.901234567"
