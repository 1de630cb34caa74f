"""How much a Gemini model may think, which each generation is told in another way."""

from __future__ import annotations

import re
from typing import Any

from providers.engine.request import Effort

_VERSION = re.compile(r"gemini-(\d+(?:\.\d+)?)")
_NEWEST = 3.0
_FIRST_THAT_THINKS = 2.5
# Source: Google, "OpenAI compatibility", table of `reasoning_effort`.
_BUDGETS = {
    Effort.NONE: 0,
    Effort.MINIMAL: 1_024,
    Effort.LOW: 1_024,
    Effort.MEDIUM: 8_192,
    Effort.HIGH: 24_576,
}
# 2.5 Pro always thinks a little. Source: Google, "Thinking", table of budgets.
_LEAST_OF_PRO = 128


def thinking_config(effort: Effort | None, model: str) -> dict[str, Any] | None:
    """Make the nearest that the model knows; None: unset, or it cannot think and would refuse."""
    version = _version(model)
    if effort is None or version is None or version < _FIRST_THAT_THINKS:
        return None
    shown = {} if effort is Effort.NONE else {"includeThoughts": True}
    is_pro = "-pro" in model
    if version < _NEWEST:
        least = _LEAST_OF_PRO if is_pro else 0
        return {**shown, "thinkingBudget": max(_BUDGETS[effort], least)}
    level = Effort.MINIMAL if effort is Effort.NONE else effort
    # `minimal` is known to the Flash models only.
    return {
        **shown,
        "thinkingLevel": str(Effort.LOW if is_pro and level is Effort.MINIMAL else level),
    }


def is_third_generation(model: str) -> bool:
    """From it on a tool call is refused without its seal, and each search is billed."""
    version = _version(model)
    return version is not None and version >= _NEWEST


def _version(model: str) -> float | None:
    """Read it from the name; one without a number, such as `gemini-flash-latest`, is the newest."""
    name = model.rpartition("/")[2]
    if not name.startswith("gemini"):
        return None
    found = _VERSION.match(name)
    return float(found[1]) if found else _NEWEST
