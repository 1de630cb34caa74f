"""How much a model may think, in the way that it is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.engine.adapters.anthropic_messages.models import Model
from providers.engine.errors import InvalidRequest
from providers.engine.request import CompletionRequest, Effort

# Source: Anthropic, "Extended thinking": at least so many, and fewer than `max_tokens`.
_LEAST_BUDGET = 1024
# Shares of the longest answer; the field's usual ones.
_SHARES: Mapping[Effort, int] = {
    Effort.MINIMAL: 10,
    Effort.LOW: 20,
    Effort.MEDIUM: 50,
    Effort.HIGH: 80,
}

Body = dict[str, Any]


def thinking(request: CompletionRequest, model: Model, most_output: int) -> Body:
    """Answer the fields `thinking` and `output_config`, as far as they are needed.

    Raises InvalidRequest where thinking and another wish exclude each other.
    """
    effort = request.effort
    if effort is None:
        return {}
    if effort is Effort.NONE:
        return _none(model)
    if model.thinks_by_budget:
        _refuse_with_budget(request)
        return {"thinking": {"type": "enabled", "budget_tokens": _budget(effort, most_output)}}
    level = Effort.LOW if effort is Effort.MINIMAL else effort
    config: Body = {"type": "adaptive"}
    if not model.has_sampling:
        # The same models keep their thoughts to themselves unless asked.
        config["display"] = "summarized"
    return {"thinking": config, "output_config": {"effort": str(level)}}


def _none(model: Model) -> Body:
    if model.thinks_always:
        # The least that it can do.
        return {"output_config": {"effort": "low"}}
    return {"thinking": {"type": "disabled"}} if model.thinks_by_itself else {}


def _budget(effort: Effort, most_output: int) -> int:
    if most_output <= _LEAST_BUDGET:
        raise InvalidRequest(
            f"Thinking takes at least {_LEAST_BUDGET:,} tokens of the answer; allow more than that "
            f"(max_tokens is {most_output:,}), or set no effort.",
            param="max_tokens",
        )
    return max(most_output * _SHARES[effort] // 100, _LEAST_BUDGET)


def _refuse_with_budget(request: CompletionRequest) -> None:
    if request.temperature not in {None, 1.0}:
        raise InvalidRequest(
            "This model takes no temperature while it thinks. Leave it out, or the effort.",
            param="temperature",
        )
    if request.tool_choice not in {None, "auto", "none"}:
        raise InvalidRequest(
            "This model cannot be made to call a tool while it thinks. Leave tool_choice out, or "
            "the effort.",
            param="tool_choice",
        )
