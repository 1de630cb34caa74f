from __future__ import annotations

import asyncio
import json

import jsonschema
import pytest

from providers.engine.adapters.demo import DemoAdapter
from providers.engine.call import Attempt, Call
from providers.engine.errors import (
    StreamCut,
    UpstreamError,
    UpstreamGarbled,
    UpstreamThrottled,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from providers.engine.events import (
    Event,
    Finish,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    ToolCalled,
    UsageReported,
)
from providers.engine.request import (
    Message,
    ResponseSchema,
    Role,
    Tool,
    ToolCall,
    ToolResult,
)
from providers.engine.routes import DEMO_MODELS
from providers.engine.usage import Usage
from tests.fakes import CALLER, a_deployment, a_request, a_route


async def demo(
    text: str = "How do tides work?", model: str = "demo", faults: str = "on", **fields: object
) -> list[Event]:
    deployment = a_deployment(kind="demo", model=model, options={"faults": faults})
    call = Call(a_request(text, **fields), CALLER, a_route(deployment), 0.0)
    async with DemoAdapter(asyncio.sleep).open(Attempt(call, deployment, 0.0), None) as reply:
        return [event async for event in reply.events]


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


async def test_it_streams_markdown_about_the_prompt_with_a_list_and_code() -> None:
    events = await demo()
    text = text_of(events)
    assert "How do tides work" in text
    assert "\n1. **" in text
    assert text.count("```") == 2
    assert sum(isinstance(event, TextDelta) for event in events) > 20
    assert events[-1] == Finish(FinishReason.STOP)


async def test_the_same_prompt_gets_the_same_words_and_a_seed_others() -> None:
    assert await demo() == await demo()
    texts = {text_of(await demo(seed=seed)) for seed in range(5)}
    assert len(texts) > 1


async def test_it_stops_at_the_limit_and_says_so() -> None:
    events = await demo(max_output_tokens=10)
    assert len(text_of(events)) == 40
    usage = next(event.usage for event in events if isinstance(event, UsageReported))
    assert usage == Usage(input_tokens=5, output_tokens=10)
    assert events[-1] == Finish(FinishReason.LENGTH)


async def test_its_pieces_take_their_time() -> None:
    began = asyncio.get_running_loop().time()
    events = await demo()
    pieces = sum(isinstance(event, TextDelta) for event in events)
    assert asyncio.get_running_loop().time() - began >= pieces * 0.02 * 0.99


async def test_a_plain_answer_comes_in_one_piece() -> None:
    events = await demo(stream=False)
    assert sum(isinstance(event, TextDelta) for event in events) == 1


async def test_no_prompt_breaks_out_of_the_sentence_or_the_code() -> None:
    text = text_of(await demo("{x} ``` `*`\n# \"'} {0}"))
    assert text.count("```") == 2
    compile(text.split("```python\n")[1].split("```")[0], "demo", "exec")


@pytest.mark.parametrize(
    ("model", "kind"), [("demo-429", UpstreamThrottled), ("demo-503", UpstreamUnavailable)]
)
async def test_a_model_that_refuses_does_so_before_there_is_an_answer(
    model: str, kind: type[UpstreamError]
) -> None:
    with pytest.raises(kind) as caught:
        await demo(model=model)
    assert caught.value.status == int(model[-3:])


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("demo-cut", StreamCut),
        ("demo-garbled", UpstreamGarbled),
        ("demo-stall", UpstreamTimeout),
    ],
)
async def test_a_model_that_breaks_does_so_when_half_is_out(
    model: str, kind: type[UpstreamError]
) -> None:
    whole = text_of(await demo())
    deployment = a_deployment(kind="demo", model=model)
    call = Call(a_request("How do tides work?"), CALLER, a_route(deployment), 0.0)
    said: list[Event] = []

    async def read_all() -> None:
        async with DemoAdapter(asyncio.sleep).open(Attempt(call, deployment, 0.0), None) as reply:
            async for event in reply.events:
                said.append(event)  # noqa: PERF401 - what came before the failure is kept

    began = asyncio.get_running_loop().time()
    with pytest.raises(kind):
        await read_all()
    assert 0 < len(text_of(said)) < len(whole)
    assert whole.startswith(text_of(said))
    silent = asyncio.get_running_loop().time() - began
    assert (silent > deployment.idle_timeout_s) == (model == "demo-stall")


async def test_a_slow_model_takes_seconds_and_says_the_same() -> None:
    began = asyncio.get_running_loop().time()
    events = await demo(model="demo-slow")
    assert text_of(events) == text_of(await demo())
    assert asyncio.get_running_loop().time() - began > 5


@pytest.mark.parametrize("model", DEMO_MODELS)
async def test_every_model_is_well_where_its_faults_are_switched_off(model: str) -> None:
    assert isinstance((await demo(model=model, faults="off"))[-1], Finish)


async def test_a_thinking_model_thinks_first_and_seals_its_thought() -> None:
    events = await demo(model="demo-reasoning")
    thoughts = [event for event in events if isinstance(event, ReasoningDelta)]
    assert events[: len(thoughts)] == thoughts
    assert thoughts[-1].replay is not None
    assert thoughts[-1].replay.text == "".join(thought.text for thought in thoughts)
    usage = next(event.usage for event in events if isinstance(event, UsageReported))
    assert 0 < usage.reasoning_tokens < usage.output_tokens


SUM = Tool("calculator", "Adds", {"type": "object", "properties": {"expression": {}}})
CLOCK = Tool("clock", "Tells", {"type": "object", "properties": {"zone": {"enum": ["UTC"]}}})


def called(events: list[Event]) -> list[ToolCall]:
    return [event.call for event in events if isinstance(event, ToolCalled)]


async def test_a_model_with_tools_calls_each_once_and_then_tells_of_them() -> None:
    question = Message.of(Role.USER, "What is 12 * (3 + 4)?")
    messages, told = [question], ""
    for tool, arguments in ((SUM, {"expression": "12 * (3 + 4)"}), (CLOCK, {"zone": "UTC"})):
        events = await demo(model="demo-tools", tools=(SUM, CLOCK), messages=tuple(messages))
        (call,) = called(events)
        assert (call.name, json.loads(call.arguments)) == (tool.name, arguments)
        assert events[-1] == Finish(FinishReason.TOOL_CALLS)
        messages += [
            Message(Role.ASSISTANT, (call,)),
            Message(Role.TOOL, (ToolResult(call.id, f"from {tool.name}"),)),
        ]
    told = text_of(await demo(model="demo-tools", tools=(SUM, CLOCK), messages=tuple(messages)))
    assert "from calculator" in told
    assert "from clock" in told


async def test_a_model_with_tools_says_so_when_it_was_offered_none() -> None:
    assert "offered none" in text_of(await demo(model="demo-tools"))


SCHEMA = {
    "type": "object",
    "required": ["city", "days"],
    "properties": {
        "city": {"type": "string", "maxLength": 12},
        "days": {"type": "array", "minItems": 2, "items": {"$ref": "#/$defs/day"}},
        "unit": {"enum": ["C", "F"]},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    },
    "additionalProperties": False,
    "$defs": {
        "day": {
            "type": "object",
            "required": ["on", "rain"],
            "properties": {
                "on": {"type": "string", "format": "date"},
                "rain": {"type": "integer", "minimum": 5, "multipleOf": 4},
                "wind": {"type": "number", "exclusiveMinimum": 0},
                "warm": {"type": "boolean"},
            },
        }
    },
}


@pytest.mark.parametrize("model", ["demo", "demo-json"])
async def test_json_fits_the_schema_that_is_asked_for(model: str) -> None:
    events = await demo(model=model, response_schema=ResponseSchema(SCHEMA))
    jsonschema.validate(json.loads(text_of(events)), SCHEMA)


async def test_json_without_a_schema_is_an_object() -> None:
    assert isinstance(json.loads(text_of(await demo(model="demo-json"))), dict)
