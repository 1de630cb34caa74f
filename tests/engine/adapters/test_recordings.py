"""Real traffic, compared with what the body itself says, read here a second and simpler way."""

from __future__ import annotations

import json
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from providers.engine.errors import (
    EngineError,
    UpstreamMisconfigured,
    UpstreamRejected,
    UpstreamThrottled,
)
from providers.engine.events import (
    Event,
    Finish,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCalled,
    UsageReported,
)
from tests.engine.adapters.replay import RECORDINGS, Replay
from tests.fakes import a_request

if not RECORDINGS.is_dir():
    pytest.skip(
        f"no recorded traffic at {RECORDINGS}; set GAIWEB_RECORDINGS", allow_module_level=True
    )

WIRES = ("openai_chat", "anthropic_messages")
PATHS = [path for wire in WIRES for path in sorted((RECORDINGS / wire).glob("*.json"))]
STREAMS = [path for path in PATHS if path.name.startswith("stream-200")]
GOOD = [path for path in PATHS if "-200-" in path.name]
FAILED = [path for path in PATHS if "-200-" not in path.name]
_KEPT_HEADERS = ("content-type", "x-request-id", "request-id", "retry-after")

_ERRORS = {400: UpstreamRejected, 404: UpstreamMisconfigured, 429: UpstreamThrottled}


def recorded(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


async def played(recording: dict[str, Any], pieces: list[bytes]) -> list[Event]:
    response = recording["response"]
    headers = {k: v for k, v in response["headers"].items() if k.lower() in _KEPT_HEADERS}
    replay = Replay(recording["wire"], pieces, response["status"], headers)
    return await replay.events(a_request(stream=recording["stream"]))


async def whole(recording: dict[str, Any]) -> list[Event]:
    return await played(recording, [recording["response"]["body"].encode()])


def told(events: list[Event]) -> dict[str, Any]:
    usages = [event.usage for event in events if isinstance(event, UsageReported)]
    usage = usages[-1] if usages else None
    return {
        "text": "".join(e.text for e in events if isinstance(e, TextDelta)),
        "reasoning": "".join(e.text for e in events if isinstance(e, ReasoningDelta)),
        "calls": [(e.call.name, e.call.arguments) for e in events if isinstance(e, ToolCalled)],
        "usage": usage and (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens),
    }


def expected(recording: dict[str, Any]) -> dict[str, Any]:
    body = recording["response"]["body"]
    if recording["stream"]:
        lines = (line[5:].strip() for line in body.splitlines() if line.startswith("data:"))
        pieces = [json.loads(line) for line in lines if line != "[DONE]"]
    else:
        pieces = [json.loads(body)]
    read = _openai if recording["wire"] == "openai_chat" else _anthropic
    return read(pieces)


def _openai(pieces: list[dict[str, Any]]) -> dict[str, Any]:
    said: dict[str, Any] = {"text": "", "reasoning": "", "usage": None}
    calls: dict[Any, list[str]] = {}
    for piece in pieces:
        for choice in piece.get("choices", []):
            delta = choice.get("delta") or choice.get("message") or {}
            said["text"] += delta.get("content") or ""
            said["reasoning"] += delta.get("reasoning_content") or delta.get("reasoning") or ""
            for place, call in enumerate(delta.get("tool_calls") or []):
                index = call.get("index", place) if "delta" in choice else place
                name, arguments = calls.setdefault(index, ["", ""])
                function = call["function"]
                calls[index] = [
                    function.get("name") or name,
                    arguments + (function.get("arguments") or ""),
                ]
        usage = piece.get("usage")
        if usage:
            cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
            # Gemini counts its thoughts into the total only, and bills them as output.
            output = max(usage["completion_tokens"], usage["total_tokens"] - usage["prompt_tokens"])
            said["usage"] = (usage["prompt_tokens"], output, cached)
    return {**said, "calls": [tuple(call) for call in calls.values()]}


def _anthropic(pieces: list[dict[str, Any]]) -> dict[str, Any]:
    said = {"text": "", "reasoning": ""}
    usage: dict[str, Any] = {}
    calls: dict[int, list[str]] = {}
    for piece in pieces:
        for index, block in enumerate(piece.get("content", [])):
            said["text"] += block.get("text") or ""
            said["reasoning"] += block.get("thinking") or ""
            if block["type"] == "tool_use":
                calls[index] = [block["name"], json.dumps(block["input"])]
        if piece["type"] == "content_block_start" and piece["content_block"]["type"] == "tool_use":
            calls[piece["index"]] = [piece["content_block"]["name"], ""]
        delta = piece.get("delta", {})
        said["text"] += delta.get("text") or ""
        said["reasoning"] += delta.get("thinking") or ""
        if "partial_json" in delta:
            calls[piece["index"]][1] += delta["partial_json"]
        usage |= piece.get("usage") or piece.get("message", {}).get("usage") or {}
    cached = usage.get("cache_read_input_tokens") or 0
    sent = usage["input_tokens"] + cached + (usage.get("cache_creation_input_tokens") or 0)
    return {
        **said,
        "usage": (sent, usage["output_tokens"], cached),
        "calls": [(name, arguments or "{}") for name, arguments in calls.values()],
    }


def _plain_arguments(said: dict[str, Any]) -> dict[str, Any]:
    # A plain Anthropic body holds objects, whose spaces are nobody's.
    calls = [(name, json.loads(arguments or "{}")) for name, arguments in said["calls"]]
    return {**said, "calls": calls}


async def test_every_good_answer_is_understood_as_its_body_says() -> None:
    assert GOOD
    for path in GOOD:
        recording = recorded(path)
        if '"error"' in recording["response"]["body"] and "text-00a3d8" in path.name:
            continue
        events = await whole(recording)
        assert isinstance(events[-1], Finish), path.name
        assert sum(isinstance(event, Finish) for event in events) == 1, path.name
        assert _plain_arguments(told(events)) == _plain_arguments(expected(recording)), path.name


async def test_fragments_of_calls_join_to_the_whole_call_and_count_from_0() -> None:
    for path in GOOD:
        recording = recorded(path)
        if "text-00a3d8" in path.name:
            continue
        events = await whole(recording)
        fragments: dict[int, str] = {}
        ids: dict[int, tuple[str | None, str | None]] = {}
        for event in events:
            if isinstance(event, ToolCallDelta):
                fragments[event.index] = fragments.get(event.index, "") + event.arguments
                ids.setdefault(event.index, (event.id, event.name))
        calls = [event for event in events if isinstance(event, ToolCalled)]
        assert [call.index for call in calls] == list(range(len(calls))) == list(fragments)
        for call in calls:
            assert ids[call.index] == (call.call.id, call.call.name)
            assert (fragments[call.index] or "{}") == (call.call.arguments or "{}")


async def test_an_error_inside_a_good_stream_is_an_error() -> None:
    (path,) = [path for path in STREAMS if "text-00a3d8" in path.name]
    with pytest.raises(UpstreamRejected, match="did not call a tool"):
        await whole(recorded(path))


@pytest.mark.parametrize("path", FAILED, ids=lambda path: path.name[-20:-5])
async def test_a_refusal_has_its_error(path: Path) -> None:
    recording = recorded(path)
    with pytest.raises(EngineError) as caught:
        await whole(recording)
    assert type(caught.value) is _ERRORS[recording["response"]["status"]]


def _shortest_of_each_wire() -> list[Path]:
    return [
        min(STREAMS, key=lambda path: (wire not in path.parts, path.stat().st_size))
        for wire in WIRES
    ]


@pytest.mark.parametrize("path", _shortest_of_each_wire(), ids=lambda path: path.parent.name)
async def test_byte_by_byte_gives_the_same_events(path: Path) -> None:
    recording = recorded(path)
    body = recording["response"]["body"].encode()
    assert await played(recording, [bytes([byte]) for byte in body]) == await whole(recording)


def cut(body: bytes, places: random.Random, cuts: int) -> list[bytes]:
    at = [0, *sorted(places.randrange(len(body)) for _ in range(cuts)), len(body)]
    return [body[a:b] for a, b in pairwise(at)]


@pytest.mark.parametrize("path", _shortest_of_each_wire(), ids=lambda path: path.parent.name)
async def test_random_splits_give_the_same_events(path: Path) -> None:
    recording = recorded(path)
    body = recording["response"]["body"].encode()
    events = await whole(recording)
    places = random.Random(7)
    for _ in range(40):
        assert await played(recording, cut(body, places, 6)) == events
