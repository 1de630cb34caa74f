"""What Anthropic says beside text: sealed thoughts, sources, refusals, server tools, counts."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from providers.engine.events import (
    Citation,
    Citations,
    Event,
    Finish,
    FinishReason,
    ReasoningDelta,
    Safety,
    TextDelta,
    ToolCallDelta,
    ToolCalled,
    UsageReported,
)
from providers.engine.request import Reasoning
from providers.engine.usage import Usage
from tests.engine.adapters.replay import Replay, sse
from tests.fakes import a_request


def start(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def grow(index: int, **delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def stop(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def ended(reason: str, **more: Any) -> list[dict[str, Any]]:
    delta = {"stop_reason": reason, **more}
    return [{"type": "message_delta", "delta": delta}, {"type": "message_stop"}]


async def heard(*frames: dict[str, Any]) -> list[Event]:
    return await Replay("anthropic_messages", sse(*frames, named=True)).events()


async def plain(*content: dict[str, Any], **more: Any) -> list[Event]:
    body = {"type": "message", "content": content, "stop_reason": "end_turn", **more}
    return await Replay("anthropic_messages", [orjson.dumps(body)]).events(a_request(stream=False))


SEALED = Reasoning("Hm, yes.", "seal", wire="anthropic_messages")
DARK = Reasoning("", "dark", wire="anthropic_messages", is_redacted=True)


async def test_thoughts_end_with_the_whole_of_them_and_their_seal() -> None:
    events = await heard(
        start(0, type="thinking", thinking=""),
        grow(0, type="thinking_delta", thinking="Hm, "),
        grow(0, type="thinking_delta", thinking="yes."),
        grow(0, type="signature_delta", signature="seal"),
        stop(0),
        start(1, type="redacted_thinking", data="dark"),
        stop(1),
        *ended("end_turn"),
    )
    assert events == [
        ReasoningDelta("Hm, "),
        ReasoningDelta("yes."),
        ReasoningDelta("", SEALED),
        ReasoningDelta("", DARK),
        Finish(FinishReason.STOP),
    ]
    whole = await plain(
        {"type": "thinking", "thinking": "Hm, yes.", "signature": "seal"},
        {"type": "redacted_thinking", "data": "dark"},
    )
    assert whole[:3] == [
        ReasoningDelta("Hm, yes."),
        ReasoningDelta("", SEALED),
        ReasoningDelta("", DARK),
    ]


async def test_a_thought_that_is_kept_back_is_still_sealed_for_replay() -> None:
    events = await heard(
        start(0, type="thinking", thinking=""),
        grow(0, type="signature_delta", signature="seal"),
        stop(0),
        *ended("end_turn"),
    )
    assert events[0] == ReasoningDelta("", Reasoning("", "seal", wire="anthropic_messages"))


async def test_sources_of_a_text_are_citations() -> None:
    web = {
        "type": "web_search_result_location",
        "url": "https://a.test",
        "title": "A",
        "cited_text": "so",
        "encrypted_index": "x",
    }
    page = {
        "type": "page_location",
        "document_title": "B",
        "cited_text": "and",
        "document_index": 0,
    }
    events = await heard(
        start(0, type="text", text="", citations=[]),
        grow(0, type="text_delta", text="Hi"),
        grow(0, type="citations_delta", citation=web),
        grow(0, type="citations_delta", citation=page),
        *ended("end_turn"),
    )
    assert [event for event in events if isinstance(event, Citations)] == [
        Citations((Citation("https://a.test", "A", "so"),)),
        Citations((Citation("", "B", "and"),)),
    ]
    both = Citations((Citation("https://a.test", "A", "so"), Citation("", "B", "and")))
    assert both in await plain({"type": "text", "text": "Hi", "citations": [web, page]})


async def test_a_tool_that_ran_at_the_providers_is_no_call_of_ours() -> None:
    events = await heard(
        start(0, type="server_tool_use", id="srv_1", name="web_search", input={}),
        grow(0, type="input_json_delta", partial_json='{"query": "x"}'),
        stop(0),
        start(1, type="web_search_tool_result", tool_use_id="srv_1", content=[]),
        stop(1),
        start(2, type="tool_use", id="a", name="f", input={}),
        grow(2, type="input_json_delta", partial_json="{}"),
        stop(2),
        *ended("tool_use"),
    )
    assert [event.index for event in events if isinstance(event, ToolCallDelta)] == [0, 0]
    assert [event.call.id for event in events if isinstance(event, ToolCalled)] == ["a"]


async def test_a_refusal_tells_by_what_policy() -> None:
    details = {"type": "refusal", "category": "bio", "explanation": "Too dangerous."}
    events = await heard(start(0, type="text", text="I"), *ended("refusal", stop_details=details))
    assert events == [
        TextDelta("I"),
        Safety("bio", "Too dangerous.", is_blocked=True),
        Finish(FinishReason.CONTENT_FILTER),
    ]


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("end_turn", FinishReason.STOP),
        ("stop_sequence", FinishReason.STOP),
        ("pause_turn", FinishReason.STOP),
        ("max_tokens", FinishReason.LENGTH),
        ("model_context_window_exceeded", FinishReason.LENGTH),
        ("tool_use", FinishReason.TOOL_CALLS),
        ("refusal", FinishReason.CONTENT_FILTER),
        ("something new", FinishReason.STOP),
    ],
)
async def test_every_reason_has_its_word(word: str, reason: FinishReason) -> None:
    assert (await heard(*ended(word)))[-1] == Finish(reason)


async def test_hours_and_minutes_of_cache_thoughts_and_searches_are_counted_apart() -> None:
    usage = {
        "input_tokens": 10,
        "output_tokens": 1,
        "cache_read_input_tokens": 20,
        "cache_creation_input_tokens": 30,
        "cache_creation": {"ephemeral_5m_input_tokens": 12, "ephemeral_1h_input_tokens": 18},
    }
    later = {
        "output_tokens": 9,
        "output_tokens_details": {"thinking_tokens": 4},
        "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1},
    }
    events = await heard(
        {"type": "message_start", "message": {"usage": usage}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": later},
        {"type": "message_stop"},
    )
    assert [event.usage for event in events if isinstance(event, UsageReported)][-1] == Usage(
        input_tokens=60,
        output_tokens=9,
        cache_read_tokens=20,
        cache_write_tokens=30,
        cache_write_1h_tokens=18,
        reasoning_tokens=4,
        web_searches=2,
        server_tool_calls=3,
    )
