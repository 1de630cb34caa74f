"""What Chat Completions servers say beside text: refusals, sources, verdicts, seals, counts."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from providers.engine.errors import UpstreamOverloaded, UpstreamUnavailable
from providers.engine.events import (
    Citation,
    Citations,
    Event,
    Finish,
    FinishReason,
    ReasoningDelta,
    Safety,
    TextDelta,
    UsageReported,
)
from providers.engine.request import Reasoning
from providers.engine.usage import Usage
from tests.engine.adapters.replay import Replay, sse
from tests.fakes import a_request


def delta(reason: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": reason}]}


async def heard(*frames: Any) -> list[Event]:
    return await Replay("openai_chat", sse(*frames, "[DONE]")).events()


async def plain(message: dict[str, Any], **more: Any) -> list[Event]:
    body = {"choices": [{"message": message, "finish_reason": "stop"}], **more}
    return await Replay("openai_chat", [orjson.dumps(body)]).events(a_request(stream=False))


async def test_a_refusal_is_told_from_an_answer() -> None:
    events = await heard(delta(refusal="I "), delta(refusal="cannot."), delta("stop"))
    assert events == [
        TextDelta("I ", is_refusal=True),
        TextDelta("cannot.", is_refusal=True),
        Finish(FinishReason.STOP),
    ]
    assert TextDelta("No.", is_refusal=True) in await plain({"content": None, "refusal": "No."})


async def test_annotations_become_citations_with_their_places() -> None:
    cited = {"url": "https://a.test", "title": "A", "start_index": 3, "end_index": 9}
    annotation = {"type": "url_citation", "url_citation": cited}
    expected = Citations((Citation("https://a.test", "A", "", 3, 9),))
    assert expected in await heard(delta(content="Hi", annotations=[annotation]), delta("stop"))
    assert expected in await plain({"content": "Hi", "annotations": [annotation]})


async def test_a_list_of_sources_that_comes_with_every_piece_is_told_once() -> None:
    urls = ["https://a.test", "https://b.test"]
    pieces = [{**delta(content="a"), "citations": urls}, {**delta("stop"), "citations": urls}]
    events = await heard(*pieces)
    assert [event for event in events if isinstance(event, Citations)] == [
        Citations((Citation("https://a.test"), Citation("https://b.test")))
    ]
    titled = [{"title": "A", "url": "https://a.test", "date": "2026-01-01"}]
    named = await plain({"content": "Hi"}, citations=urls, search_results=titled)
    assert Citations((Citation("https://a.test", "A"),)) in named


async def test_what_a_filter_held_back_is_a_verdict() -> None:
    verdicts = {"hate": {"filtered": False}, "self_harm": {"filtered": True, "severity": "high"}}
    piece = delta("content_filter", content="")
    piece["choices"][0]["content_filter_results"] = verdicts
    events = await heard(piece)
    assert [(e.category, e.is_blocked) for e in events if isinstance(e, Safety)] == [
        ("self_harm", True)
    ]
    assert events[-1] == Finish(FinishReason.CONTENT_FILTER)


async def test_a_thought_ends_with_the_whole_of_it_for_replay() -> None:
    events = await heard(
        delta(reasoning_content="Hm, "), delta(reasoning_content="yes."), delta("stop", content="A")
    )
    thoughts = [event for event in events if isinstance(event, ReasoningDelta)]
    assert [thought.text for thought in thoughts] == ["Hm, ", "yes.", ""]
    assert thoughts[-1].replay == Reasoning("Hm, yes.", wire="openai_chat")


async def test_sealed_details_are_joined_by_index_however_they_come() -> None:
    def detail(**fields: Any) -> dict[str, Any]:
        return {"type": "reasoning.text", "index": 0, **fields}

    events = await heard(
        delta(reasoning="Hm, ", reasoning_details=[detail(text="Hm, ", signature=None)]),
        delta(reasoning="yes.", reasoning_details=[detail(text="yes.")]),
        delta(reasoning_details=[detail(signature="seal")]),
        delta(reasoning_details=[{"type": "reasoning.encrypted", "index": 1, "data": "x"}]),
        delta("stop", content="A"),
    )
    (replay,) = [e.replay for e in events if isinstance(e, ReasoningDelta) and e.replay]
    assert replay.text == "Hm, yes."
    assert orjson.loads(replay.signature or "") == [
        detail(text="Hm, yes.", signature="seal"),
        {"type": "reasoning.encrypted", "index": 1, "data": "x"},
    ]


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("stop", FinishReason.STOP),
        ("eos", FinishReason.STOP),
        ("end_turn", FinishReason.STOP),
        ("length", FinishReason.LENGTH),
        ("model_length", FinishReason.LENGTH),
        ("max_tokens", FinishReason.LENGTH),
        ("tool_calls", FinishReason.TOOL_CALLS),
        ("function_call", FinishReason.TOOL_CALLS),
        ("tool_use", FinishReason.TOOL_CALLS),
        ("content_filter", FinishReason.CONTENT_FILTER),
        ("refusal", FinishReason.CONTENT_FILTER),
        ("something new", FinishReason.STOP),
    ],
)
async def test_every_reason_has_its_word(word: str, reason: FinishReason) -> None:
    assert (await heard(delta(word, content="Hi")))[-1] == Finish(reason)


@pytest.mark.parametrize(
    ("word", "error"),
    [
        ("error", UpstreamUnavailable),
        ("abort", UpstreamUnavailable),
        ("insufficient_system_resource", UpstreamOverloaded),
    ],
)
async def test_an_answer_that_failed_says_so_by_its_reason(
    word: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await heard(delta(word, content="Hi"))


async def test_audio_searches_and_cache_writes_are_counted_apart() -> None:
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "total_tokens": 150,
        "prompt_tokens_details": {"cached_tokens": 10, "cache_write_tokens": 5, "audio_tokens": 20},
        "completion_tokens_details": {"reasoning_tokens": 7, "audio_tokens": 30},
        "server_tool_use_details": {"web_search_requests": 2, "tool_calls_executed": 3},
    }
    events = await heard(delta("stop", content="Hi"), {"choices": [], "usage": usage})
    assert (
        UsageReported(
            Usage(
                input_tokens=100,
                output_tokens=50,
                cache_read_tokens=10,
                cache_write_tokens=5,
                reasoning_tokens=7,
                input_audio_tokens=20,
                output_audio_tokens=30,
                web_searches=2,
                server_tool_calls=3,
            )
        )
        in events
    )
