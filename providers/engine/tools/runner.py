"""Runs what a model called: side by side, bounded, and whatever goes wrong is told to the model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

import orjson

from providers.engine import json_schema
from providers.engine.errors import EngineError
from providers.engine.events import ToolResulted
from providers.engine.request import ToolCall, ToolResult
from providers.engine.tools.hosted import HostedTool, ToolFailed


class ToolStatus(StrEnum):
    OK = "ok"
    FAILED = "failed"
    TIMEOUT = "timeout"
    INVALID_INPUT = "invalid_input"
    TOO_LARGE = "too_large"
    UNKNOWN = "unknown"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Ran:
    """How one call went. `fault` is the bug behind `broken`, for the log and never for the model.

    `tool` None: the model made the name up.
    """

    tool: HostedTool | None
    status: ToolStatus
    content: str
    duration_s: float
    fault: Exception | None = None


@dataclass(frozen=True, slots=True)
class Runner:
    """`now` in seconds."""

    now: Callable[[], float]
    most_at_once: int = 8

    async def run_all(
        self,
        calls: Sequence[ToolCall],
        tools: Mapping[str, HostedTool],
        ended: Callable[[Ran], None],
    ) -> AsyncGenerator[ToolResulted, None]:
        """Answer each call, as they end; `ended` is told first. Leaving early cancels the rest."""
        slots = asyncio.Semaphore(self.most_at_once)

        async def in_turn(call: ToolCall) -> ToolResulted:
            async with slots:
                ran = await self.run(call, tools)
            ended(ran)
            return _resulted(call, ran)

        running = [asyncio.create_task(in_turn(call)) for call in calls]
        try:
            for next_done in asyncio.as_completed(running):
                yield await next_done
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def run(self, call: ToolCall, tools: Mapping[str, HostedTool]) -> Ran:
        """Raise nothing: whatever goes wrong is in the answer."""
        tool = tools.get(call.name)
        began = self.now()
        if tool is None:
            known = ", ".join(sorted(tools)) or "none"
            return Ran(None, ToolStatus.UNKNOWN, f"There is no such tool. Known: {known}.", 0.0)
        given, fault = _arguments(call, tool)
        if given is None:
            return Ran(tool, ToolStatus.INVALID_INPUT, fault, self.now() - began)
        status, content, bug = await _outcome(tool, given)
        return Ran(tool, status, content, self.now() - began, bug)


async def _outcome(
    tool: HostedTool, given: Mapping[str, Any]
) -> tuple[ToolStatus, str, Exception | None]:
    try:
        async with asyncio.timeout(tool.timeout_s):
            content = await tool.run(given)
    except TimeoutError:
        return ToolStatus.TIMEOUT, f"It took longer than {tool.timeout_s:g} seconds.", None
    except ToolFailed as failed:
        return ToolStatus.FAILED, str(failed), None
    except EngineError as error:
        return ToolStatus.FAILED, error.message, None
    except Exception as bug:  # noqa: BLE001 - a tool may be anybody's code; the answer goes on
        return ToolStatus.BROKEN, "The tool failed; its operator can see why.", bug
    return _bounded(content, tool)


def _resulted(call: ToolCall, ran: Ran) -> ToolResulted:
    is_error = ran.status is not ToolStatus.OK
    result = ToolResult(call.id, ran.content, is_error=is_error, name=call.name)
    return ToolResulted(call.name, result, round(ran.duration_s * 1000))


def _bounded(content: str, tool: HostedTool) -> tuple[ToolStatus, str, None]:
    """Refuse what is too long: half of it would be read as the whole."""
    size = len(content.encode())
    if size <= tool.most_output_bytes:
        return ToolStatus.OK, content, None
    most = f"{tool.most_output_bytes:,}"
    return ToolStatus.TOO_LARGE, f"It answered {size:,} bytes; at most {most} are taken.", None


def _arguments(call: ToolCall, tool: HostedTool) -> tuple[Mapping[str, Any] | None, str]:
    """Read what the model wrote; None, with what is wrong in words for it."""
    if len(call.arguments.encode()) > tool.most_input_bytes:
        return None, f"The arguments are longer than {tool.most_input_bytes:,} bytes."
    try:
        # No arguments at all is how some models call a tool that takes none.
        given: object = orjson.loads(call.arguments.strip() or "{}")
    except orjson.JSONDecodeError as error:
        return None, f"The arguments are not JSON: {error.msg} at character {error.pos}."
    if not isinstance(given, dict):
        return None, "The arguments must be a JSON object."
    found = json_schema.faults(tool.tool.parameters, cast("object", given))
    if found:
        return None, f"The arguments do not fit the schema. {'; '.join(found)}."
    return cast("Mapping[str, Any]", given), ""
