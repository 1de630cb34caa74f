"""Tools that play a part: an answer by rule, an error or a delay, for trying prompts out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from providers.engine.request import Tool
from providers.engine.tools.hosted import HostedTool, ToolFailed


@dataclass(frozen=True, slots=True)
class Case:
    """A result for calls in which each of these arguments has this JSON value."""

    arguments: Mapping[str, Any]
    result: str


@dataclass(frozen=True, slots=True)
class Part:
    """The first case that fits answers, else `result`; with `error` it fails in these words.

    `delay_s` is waited before either.
    """

    result: str = ""
    cases: tuple[Case, ...] = field(default_factory=tuple)
    error: str = ""
    delay_s: float = 0.0


def mock(tool: Tool, part: Part, sleep: Callable[[float], Awaitable[None]]) -> HostedTool:
    async def run(given: Mapping[str, Any]) -> str:
        await sleep(part.delay_s)
        if part.error:
            raise ToolFailed(part.error)
        return next((each.result for each in part.cases if _fits(each, given)), part.result)

    return HostedTool(tool, run)


def _fits(case: Case, given: Mapping[str, Any]) -> bool:
    return all(name in given and given[name] == value for name, value in case.arguments.items())
