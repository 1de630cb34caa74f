"""The hosted tools that a caller may use, ready to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.utils import timezone

from providers.engine.call import Caller
from providers.engine.tools import HostedTool
from providers.engine.tools.calculator import calculator
from providers.engine.tools.clock import current_time


def _built_in() -> Mapping[str, HostedTool]:
    return {tool.name: tool for tool in (calculator(), current_time(timezone.now))}


@dataclass(slots=True)
class Toolbox:
    """Belongs to one event loop."""

    built_in: Mapping[str, HostedTool] = field(default_factory=_built_in)

    def allowed_to(self, caller: Caller) -> Mapping[str, HostedTool]:
        """By name; those that the caller's team or the caller may use."""
        del caller
        return self.built_in
