"""Whatever goes wrong with a tool is told to the model, within bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import BaseModel, Field, field_validator

from providers.engine.errors import UpstreamTimeout
from providers.engine.events import ToolResulted
from providers.engine.request import Tool, ToolCall
from providers.engine.tools import HostedTool, Ran, Runner, ToolFailed, ToolStatus, typed
from tests.engine.conftest import now

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def a_tool(run: Any, name: str = "tool", **limits: Any) -> HostedTool:
    return HostedTool(Tool(name, "", SCHEMA), run, **limits)


async def echo(given: Mapping[str, Any]) -> str:
    return str(given["n"])


async def fails(given: Mapping[str, Any]) -> str:
    raise ToolFailed("There is no such row.")


async def cannot_reach(given: Mapping[str, Any]) -> str:
    raise UpstreamTimeout("weather did not answer in time.")


async def is_broken(given: Mapping[str, Any]) -> str:
    raise KeyError("inside")


async def is_slow(given: Mapping[str, Any]) -> str:
    await asyncio.sleep(60)
    return "late"


async def is_long(given: Mapping[str, Any]) -> str:
    return "x" * 2_000


async def run(tool: HostedTool, arguments: str = '{"n": 7}', name: str = "tool") -> Ran:
    return await Runner(now).run(ToolCall("1", name, arguments), {tool.name: tool})


async def test_a_result_comes_back_with_the_calls_own_id() -> None:
    ended: list[Ran] = []
    calls = [ToolCall("call_x", "tool", '{"n": 7}')]
    found = [
        each async for each in Runner(now).run_all(calls, {"tool": a_tool(echo)}, ended.append)
    ]
    assert [(each.result.call_id, each.result.content) for each in found] == [("call_x", "7")]
    assert not found[0].result.is_error
    assert [each.status for each in ended] == [ToolStatus.OK]


@pytest.mark.parametrize(
    ("run_it", "arguments", "status", "words"),
    [
        (fails, '{"n": 7}', ToolStatus.FAILED, "no such row"),
        (cannot_reach, '{"n": 7}', ToolStatus.FAILED, "did not answer in time"),
        (is_broken, '{"n": 7}', ToolStatus.BROKEN, "its operator can see why"),
        (is_slow, '{"n": 7}', ToolStatus.TIMEOUT, "longer than 10 seconds"),
        (is_long, '{"n": 7}', ToolStatus.TOO_LARGE, "2,000 bytes"),
        (echo, '{"n": ', ToolStatus.INVALID_INPUT, "not JSON"),
        (echo, "[7]", ToolStatus.INVALID_INPUT, "must be a JSON object"),
        (echo, '{"n": "7"}', ToolStatus.INVALID_INPUT, '$.n: must satisfy type "integer"'),
        (echo, "", ToolStatus.INVALID_INPUT, "lacks n"),
        (echo, '{"n": 7, "x": "' + "y" * 20_000 + '"}', ToolStatus.INVALID_INPUT, "16,384 bytes"),
    ],
)
async def test_every_way_to_fail_is_an_error_result_that_the_model_sees(
    run_it: Any, arguments: str, status: ToolStatus, words: str
) -> None:
    ran = await run(a_tool(run_it, most_output_bytes=1_000), arguments)
    assert ran.status is status
    assert words in ran.content


async def test_an_unknown_tool_is_told_what_there_is() -> None:
    ran = await run(a_tool(echo), name="made_up")
    assert (ran.status, ran.tool) == (ToolStatus.UNKNOWN, None)
    assert "Known: tool" in ran.content


async def test_a_broken_tool_tells_the_log_and_not_the_model() -> None:
    ran = await run(a_tool(is_broken))
    assert isinstance(ran.fault, KeyError)
    assert "inside" not in ran.content


async def test_tools_run_side_by_side_under_a_cap() -> None:
    running = most = 0

    async def counts(given: Mapping[str, Any]) -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(given["n"])
        running -= 1
        return "done"

    calls = [ToolCall(str(n), "tool", '{"n": 1}') for n in range(6)]
    began = now()
    runner = Runner(now, most_at_once=3)
    found = [each async for each in runner.run_all(calls, {"tool": a_tool(counts)}, _ignore)]
    assert (len(found), most) == (6, 3)
    assert now() - began == pytest.approx(2)


async def test_results_come_as_they_end() -> None:
    async def waits(given: Mapping[str, Any]) -> str:
        await asyncio.sleep(given["n"])
        return str(given["n"])

    calls = [ToolCall(str(n), "tool", f'{{"n": {n}}}') for n in (3, 1, 2)]
    runner = Runner(now)
    found = [each async for each in runner.run_all(calls, {"tool": a_tool(waits)}, _ignore)]
    assert [each.result.content for each in found] == ["1", "2", "3"]


async def test_who_leaves_early_leaves_no_tool_running() -> None:
    cancelled: list[int] = []

    async def waits(given: Mapping[str, Any]) -> str:
        try:
            await asyncio.sleep(given["n"])
        except asyncio.CancelledError:
            cancelled.append(given["n"])
            raise
        return "done"

    calls = [ToolCall(str(n), "tool", f'{{"n": {n}}}') for n in (1, 8, 9)]
    results = Runner(now).run_all(calls, {"tool": a_tool(waits)}, _ignore)
    first: ToolResulted = await anext(results)
    await results.aclose()
    assert first.result.content == "done"
    assert sorted(cancelled) == [8, 9]


class Greeting(BaseModel):
    name: str = Field(description="Whom to greet.", max_length=20)

    @field_validator("name")
    @classmethod
    def _is_polite(cls, name: str) -> str:
        if name.islower():
            raise ValueError("names begin with a capital")
        return name


async def greet(greeting: Greeting) -> str:
    return f"Hello {greeting.name}"


async def test_a_pydantic_type_makes_the_schema_and_checks_what_it_cannot_say() -> None:
    tool = typed(Greeting, greet, name="greet", description="Greet somebody.")
    assert tool.tool.parameters["properties"]["name"]["description"] == "Whom to greet."
    good = await run(tool, '{"name": "Ada"}', "greet")
    assert (good.status, good.content) == (ToolStatus.OK, "Hello Ada")
    rude = await run(tool, '{"name": "ada"}', "greet")
    assert rude.status is ToolStatus.FAILED
    assert "begin with a capital" in rude.content
    long = await run(tool, '{"name": "' + "A" * 30 + '"}', "greet")
    assert long.status is ToolStatus.INVALID_INPUT


def _ignore(ran: Ran) -> None:
    del ran
