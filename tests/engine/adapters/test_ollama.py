"""What is Ollama's own: no ids, no choice of a tool, pictures as bytes, errors in words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers.engine.adapters.ollama.encode import encoded
from providers.engine.errors import (
    EngineError,
    InvalidRequest,
    StreamCut,
    UpstreamGarbled,
    UpstreamMisconfigured,
    UpstreamOverloaded,
    UpstreamUnavailable,
)
from providers.engine.events import (
    Event,
    Finish,
    FinishReason,
    ReasoningDelta,
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
    ResponseSchema,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from tests.engine.adapters.replay import Replay
from tests.fakes import a_deployment, a_request

TOOLS = (Tool("look", "Looks.", {"type": "object"}), Tool("wait", "Waits.", {}))


def body(model: str = "qwen3", **fields: Any) -> dict[str, Any]:
    deployment = a_deployment(kind="ollama", model=model, max_output_tokens=100)
    return json.loads(encoded(a_request(**fields), deployment))


def line(done: str | None = None, **message: Any) -> bytes:
    ended = {"done": True, "done_reason": done} if done else {"done": False}
    return json.dumps({"message": {"content": "", **message}, **ended}).encode() + b"\n"


async def heard(*lines: bytes) -> list[Event]:
    return await Replay("ollama", lines).events()


def test_a_history_keeps_calls_results_and_its_own_thoughts() -> None:
    messages = (
        Message.of(Role.DEVELOPER, "Be brief."),
        Message(Role.USER, (Text("Look"), Image("data:image/png;base64,aGk="))),
        Message(
            Role.ASSISTANT,
            (
                Reasoning("Hm.", wire="ollama"),
                Reasoning("Oh.", "sig", wire="anthropic_messages"),
                ToolCall("a", "look", '{"x": 1}'),
                ToolCall("b", "wait", "{oops"),
            ),
        ),
        Message(Role.TOOL, (ToolResult("a", "blue"), ToolResult("?", "late"))),
    )
    system, user, assistant, first, second = body(messages=messages)["messages"]
    assert system == {"role": "system", "content": "Be brief."}
    assert user == {"role": "user", "content": "Look", "images": ["aGk="]}
    assert assistant["thinking"] == "Hm."
    assert [call["function"]["arguments"] for call in assistant["tool_calls"]] == [
        {"x": 1},
        {"malformed": "{oops"},
    ]
    assert first == {
        "role": "tool",
        "content": "blue",
        "tool_call_id": "a",
        "tool_name": "look",
    }
    assert "tool_name" not in second


@pytest.mark.parametrize(
    "part",
    [
        Image("https://example.com/a.png"),
        Image(file_id="file-1"),
        Audio("data:audio/wav;base64,aGk="),
        File("data:application/pdf;base64,aGk="),
    ],
)
def test_what_it_cannot_take_is_refused_before_it_is_sent(part: Any) -> None:
    with pytest.raises(InvalidRequest, match="data URLs only") as caught:
        body(messages=(Message(Role.USER, (Text("See"), part)),))
    assert caught.value.param == "messages.0.content.1"


@pytest.mark.parametrize(
    ("choice", "offered"),
    [
        (None, ["look", "wait"]),
        ("auto", ["look", "wait"]),
        ("required", ["look", "wait"]),
        ("none", None),
        ("wait", ["wait"]),
    ],
)
def test_the_nearest_to_a_choice_is_to_offer_no_other_tool(
    choice: str | None, offered: list[str] | None
) -> None:
    sent = body(tools=TOOLS, tool_choice=choice).get("tools")
    assert (sent and [tool["function"]["name"] for tool in sent]) == offered


@pytest.mark.parametrize(
    ("model", "effort", "think"),
    [
        ("qwen3", None, None),
        ("qwen3", Effort.NONE, False),
        ("qwen3", Effort.HIGH, True),
        ("gpt-oss:20b", Effort.MINIMAL, "low"),
        ("gpt-oss:20b", Effort.HIGH, "high"),
    ],
)
def test_levels_of_thinking_go_to_the_family_that_has_them(
    model: str, effort: Effort | None, think: bool | str | None
) -> None:
    assert body(model, effort=effort).get("think") == think


def test_a_schema_is_a_format_and_parameters_are_options() -> None:
    schema = {"type": "object"}
    sent = body(response_schema=ResponseSchema(schema), temperature=0.0, seed=0, stop=("x",))
    assert sent["format"] == schema
    assert sent["options"] == {"temperature": 0, "seed": 0, "stop": ["x"], "num_predict": 100}
    assert body(response_schema=ResponseSchema())["format"] == "json"
    assert set(body()) == {"messages", "options", "model", "stream"}


def test_no_option_outgrows_the_hold() -> None:
    options = {"ollama": {"options": {"num_predict": -1, "num_ctx": 8192}, "keep_alive": "1h"}}
    sent = body(provider_options=options)
    assert sent["options"] == {"num_predict": 100, "num_ctx": 8192}
    assert sent["keep_alive"] == "1h"


async def test_calls_without_an_id_get_one_that_stays_the_same() -> None:
    request = a_request()
    call = {"function": {"name": "look", "arguments": {}}}
    replay = Replay("ollama", [line("stop", tool_calls=[call, call])])
    first, second = await replay.events(request), await replay.events(request)
    assert first == second
    assert len({event.call.id for event in first if isinstance(event, ToolCalled)}) == 2


async def test_a_thought_comes_back_whole() -> None:
    events = await heard(line(thinking="H"), line(thinking="m."), line("stop", content="Hi"))
    replays = [event.replay for event in events if isinstance(event, ReasoningDelta)]
    assert replays == [None, None, Reasoning("Hm.", wire="ollama")]


async def test_a_length_is_a_length() -> None:
    assert (await heard(line("length")))[-1] == Finish(FinishReason.LENGTH)


async def test_usage_without_the_prompt_is_unknown_and_not_zero() -> None:
    ended = {"message": {"content": "Hi"}, "done": True, "eval_count": 5}
    events = await heard(json.dumps(ended).encode())
    assert not [event for event in events if isinstance(event, UsageReported)]


async def test_a_last_line_may_lack_its_end_and_half_a_line_is_a_cut() -> None:
    assert isinstance((await heard(line("stop").rstrip()))[-1], Finish)
    with pytest.raises(StreamCut):
        await heard(line(content="Hi"), line("stop")[:-5])
    with pytest.raises(StreamCut):
        await heard(line(content="Hi"))


async def test_a_plain_answer_that_is_not_done_has_no_end() -> None:
    with pytest.raises(UpstreamGarbled):
        await Replay("ollama", [line(content="Hi")]).events(a_request(stream=False))


async def test_what_comes_after_the_end_is_not_read() -> None:
    assert isinstance((await heard(line("stop") + b"{oops\n", b"garbage"))[-1], Finish)


@pytest.mark.parametrize(
    ("status", "words", "kind"),
    [
        (404, 'model "x" not found, try pulling it first', UpstreamMisconfigured),
        (503, "server busy, please try again.", UpstreamOverloaded),
        (500, "llama runner process has terminated", UpstreamUnavailable),
        (200, "an error was encountered while running the model", UpstreamUnavailable),
    ],
)
async def test_words_then_status_decide(status: int, words: str, kind: type[EngineError]) -> None:
    said = json.dumps({"error": words}).encode() + b"\n"
    with pytest.raises(EngineError) as caught:
        await Replay("ollama", [said], status).events()
    assert type(caught.value) is kind


async def test_a_check_counts_the_models_and_needs_no_key() -> None:
    replay = Replay("ollama", [b'{"models": [{}]}'])
    assert await replay.adapter().check(a_deployment(kind="ollama"), None) == 1
    assert "authorization" not in replay.sent[0].headers
