"""`gai.events.v1`: pinned by golden files, and always with exactly one end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.engine import events_v1
from providers.engine.errors import InvalidRequest, StreamCut, UpstreamThrottled
from providers.engine.events import (
    Citation,
    Citations,
    Embedded,
    Event,
    Finish,
    FinishReason,
    Notice,
    NoticeKind,
    ReasoningDelta,
    Safety,
    Start,
    StepEnded,
    TextDelta,
    ToolCallDelta,
    ToolCalled,
    ToolResulted,
    UsageReported,
)
from providers.engine.events_v1 import Record, Scribe, ndjson, records, sse
from providers.engine.request import Reasoning, ToolCall, ToolResult
from providers.engine.usage import Usage

GOLDEN = Path(__file__).parent / "golden"
ID = UUID("019ad0c0-0000-7000-8000-000000000001")
CALL = ToolCall("call_1", "calculator", '{"expression": "6 * 7"}')
RESULT = ToolResult("call_1", "42", name="calculator")
USED = Usage(120, 30, cache_read_tokens=100, reasoning_tokens=12)
EVERY: list[Event] = [
    Start("openai/gpt-4o-mini", 2),
    Notice(NoticeKind.FALLBACK, "groq/llama is unavailable. Trying openai/gpt-4o-mini."),
    ReasoningDelta("Six times "),
    ReasoningDelta("seven.", Reasoning("Six times seven.", signature="c2VhbA==", wire="anthropic")),
    ToolCallDelta(0, '{"expression": ', "call_1", "calculator"),
    ToolCallDelta(0, '"6 * 7"}'),
    ToolCalled(0, CALL),
    ToolResulted("calculator", RESULT, 3),
    StepEnded(1, "", (CALL,), (RESULT,), USED, 1_234, 812, FinishReason.TOOL_CALLS),
    Start("openai/gpt-4o-mini", 1),
    TextDelta("It is 42 — “forty-two”."),
    TextDelta("No more of that.", is_refusal=True),
    Citations((Citation("https://example.org/42", "The answer", "forty-two", 6, 8),)),
    Safety("pii", "An e-mail address was taken out.", is_blocked=True),
    StepEnded(2, "It is 42.", (), (), None, None, 400, FinishReason.STOP),
    UsageReported(USED, 1_234),
    Finish(FinishReason.STOP, stopped_by="No tool was called."),
]


def a_scribe() -> Scribe:
    seconds = iter(range(1000))

    def utcnow() -> datetime:
        return datetime(2026, 11, 27, tzinfo=UTC) + timedelta(seconds=next(seconds))

    return Scribe(ID, utcnow)


async def playing(*steps: Event | BaseException) -> AsyncGenerator[Event, None]:
    for step in steps:
        if isinstance(step, BaseException):
            raise step
        yield step


async def written(*steps: Event | BaseException) -> tuple[list[Record], list[Exception]]:
    lost: list[Exception] = []
    found = [record async for record in records(playing(*steps), a_scribe(), lost.append)]
    return found, lost


@pytest.mark.parametrize("form", ["ndjson", "sse"])
async def test_the_wire_is_what_the_golden_file_says(form: str) -> None:
    write = {"ndjson": ndjson, "sse": sse}[form]
    error = UpstreamThrottled("openai/gpt-4o-mini asks to wait.", retry_after_s=7.5)
    good, _ = await written(*EVERY)
    bad, _ = await written(EVERY[0], error)
    wire = b"".join(write(record) for record in [*good, *bad])
    assert wire.decode() == (GOLDEN / f"events_v1.{form}").read_text()


def test_every_event_has_a_name_and_is_in_the_golden_file() -> None:
    # Vectors are answered whole, never as a stream of records.
    kinds = set(get_args(Event)) - {Embedded}
    assert set(events_v1.NAMES) == kinds
    assert {type(event) for event in EVERY} == kinds


async def test_records_are_numbered_without_gaps_and_know_their_step() -> None:
    found, _ = await written(*EVERY)
    assert [record["seq"] for record in found] == list(range(1, len(EVERY) + 1))
    assert [record["step"] for record in found] == [1] * 9 + [2] * 8


async def test_a_failure_in_a_later_step_names_that_step() -> None:
    found, _ = await written(*EVERY[:9], StreamCut("cut."))
    assert (found[-1]["type"], found[-1]["step"]) == ("error", 2)


async def test_an_error_names_the_faulty_field_and_never_a_cause() -> None:
    found, _ = await written(InvalidRequest("messages.2 is empty.", param="messages.2"))
    assert found[-1]["context"] == {"path": "messages.2"}
    assert (found[-1]["kind"], found[-1]["code"]) == ("invalid_request", "VALIDATION_ERROR")


async def test_events_that_just_stop_are_an_error_and_never_a_clean_end() -> None:
    found, _ = await written(*EVERY[:-1])
    assert (found[-1]["type"], found[-1]["kind"]) == ("error", "stream_cut")


async def test_a_bug_is_told_to_us_and_not_to_the_reader() -> None:
    bug = KeyError("a secret of the inside")
    found, lost = await written(EVERY[0], bug)
    assert lost == [bug]
    assert found[-1]["kind"] == "internal_error"
    assert "secret" not in json.dumps(found)


async def test_a_cancelled_reader_gets_no_further_record() -> None:
    with pytest.raises(asyncio.CancelledError):
        await written(EVERY[0], asyncio.CancelledError())


@given(
    st.lists(
        st.sampled_from([
            *EVERY,
            StreamCut("cut."),
            InvalidRequest("no.", param="stop"),
            RuntimeError("a bug"),
        ]),
        max_size=12,
    )
)
def test_whatever_happens_there_is_exactly_one_terminal_record_and_it_is_last(
    steps: list[Event | BaseException],
) -> None:
    found, _ = asyncio.run(written(*steps))
    is_terminal = [record["type"] in events_v1.TERMINAL for record in found]
    assert is_terminal == [False] * (len(found) - 1) + [True]
