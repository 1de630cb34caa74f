"""What a person sets for the next run of a thread, and how its row keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from providers.engine.request import Effort, ResponseSchema


@dataclass(frozen=True, slots=True)
class Choices:
    """None: unset, the provider decides. `tools` are names of hosted tools.

    `output` None: text; else JSON.
    """

    route: str
    system_prompt: str = ""
    temperature: float | None = None
    max_output_tokens: int | None = None
    effort: Effort | None = None
    tools: tuple[str, ...] = ()
    output: ResponseSchema | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        """As the row keeps them; what is unset has no key."""
        said = {
            "temperature": self.temperature,
            "max_output_tokens": self.max_output_tokens,
            "effort": self.effort.value if self.effort else None,
            "tools": list(self.tools) or None,
            "output": {"schema": self.output.schema} if self.output else None,
        }
        return {name: value for name, value in said.items() if value is not None}

    @classmethod
    def kept(cls, route: str, system_prompt: str, parameters: Mapping[str, Any]) -> Choices:
        """Read what `parameters` wrote."""
        effort, output = parameters.get("effort"), parameters.get("output")
        return cls(
            route=route,
            system_prompt=system_prompt,
            temperature=parameters.get("temperature"),
            max_output_tokens=parameters.get("max_output_tokens"),
            effort=Effort(effort) if effort else None,
            tools=tuple(parameters.get("tools", ())),
            output=ResponseSchema(output["schema"]) if output else None,
        )
