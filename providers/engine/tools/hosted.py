"""A tool that runs here: what the model is told of it, and what is done when it calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from providers.engine.request import Tool

Arguments = TypeVar("Arguments", bound=BaseModel)


class ToolFailed(Exception):
    """It could not do what was asked. The message is read by the model and by people."""


@dataclass(frozen=True, slots=True)
class HostedTool:
    """`run` gets arguments that the tool's schema allows, and answers text for the model.

    It may raise ToolFailed. Sizes in bytes; `timeout_s` is for one call.
    """

    tool: Tool
    run: Callable[[Mapping[str, Any]], Awaitable[str]]
    timeout_s: float = 10.0
    most_input_bytes: int = 16 * 1024
    most_output_bytes: int = 64 * 1024

    @property
    def name(self) -> str:
        return self.tool.name


def typed(
    arguments: type[Arguments],
    run: Callable[[Arguments], Awaitable[str]],
    *,
    name: str,
    description: str,
) -> HostedTool:
    """Make a tool whose JSON Schema comes from a pydantic type; `run` gets an instance of it."""

    async def run_fields(given: Mapping[str, Any]) -> str:
        try:
            typed_arguments = arguments.model_validate(given)
        except ValidationError as fault:
            first = fault.errors(include_input=False, include_url=False)[0]
            path = ".".join(map(str, first["loc"]))
            raise ToolFailed(f"{path}: {first['msg']}.") from None
        return await run(typed_arguments)

    return HostedTool(Tool(name, description, arguments.model_json_schema()), run_fields)
