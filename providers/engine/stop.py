"""When a run of several steps ends, judged by the whole run, with the reason in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch

from providers.engine import usage
from providers.engine.events import StepEnded
from providers.engine.request import (
    AllOf,
    AnyOf,
    CostLimit,
    MaxSteps,
    NoMoreTools,
    StopCondition,
    TextMatch,
    TimeLimit,
    TokenLimit,
    UntilTool,
)


@dataclass(frozen=True, slots=True)
class Run:
    """What has happened so far, one step at least.

    `elapsed_s` since it began. `next_nano` is the most that a further step may cost; None: a
    deployment of the route has no price.
    """

    steps: Sequence[StepEnded]
    elapsed_s: float
    next_nano: int | None

    @property
    def cost_nano(self) -> int | None:
        """Of all steps together; None: some of it is unknown."""
        known = [step.cost_nano for step in self.steps if step.cost_nano is not None]
        return sum(known) if len(known) == len(self.steps) else None

    @property
    def text(self) -> str:
        return "".join(step.text for step in self.steps)


@singledispatch
def reached(condition: object, run: Run) -> str | None:  # noqa: ARG001 - the others' signature
    """Say why the run ends by `condition`; None: it does not."""
    raise TypeError(f"{type(condition).__name__} is no stop condition")


@reached.register
def _(condition: MaxSteps, run: Run) -> str | None:
    count = len(run.steps)
    return f"It took {_steps(count)}, the most allowed." if count >= condition.most else None


@reached.register
def _(_: NoMoreTools, run: Run) -> str | None:
    return None if run.steps[-1].calls else "The model called no more tools."


@reached.register
def _(condition: UntilTool, run: Run) -> str | None:
    seen = any(call.name == condition.name for step in run.steps for call in step.calls)
    return f"The tool {condition.name} was called." if seen else None


@reached.register
def _(condition: TextMatch, run: Run) -> str | None:
    return "The text that was waited for came." if condition.text in run.text else None


@reached.register
def _(condition: CostLimit, run: Run) -> str | None:
    """Unknown is not zero: what nobody can price is not begun under a limit."""
    spent = run.cost_nano
    if spent is None or run.next_nano is None:
        return "What a further step would cost is not known, and there is a cost limit."
    if spent + run.next_nano <= condition.nano:
        return None
    left = max(condition.nano - spent, 0)
    return (
        f"A further step may cost up to ${usage.dollars(run.next_nano)}; of the cost limit of "
        f"${usage.dollars(condition.nano)} only ${usage.dollars(left)} is left."
    )


@reached.register
def _(condition: TimeLimit, run: Run) -> str | None:
    is_over = run.elapsed_s >= condition.seconds
    return f"The time limit of {condition.seconds:g} seconds is over." if is_over else None


@reached.register
def _(condition: TokenLimit, run: Run) -> str | None:
    used = usage.total(step.usage for step in run.steps)
    count = 0 if used is None else used.input_tokens + used.output_tokens
    if count < condition.tokens:
        return None
    return f"{count:,} tokens are used; the limit is {condition.tokens:,}."


@reached.register
def _(condition: AnyOf, run: Run) -> str | None:
    return next(filter(None, (reached(each, run) for each in condition.conditions)), None)


@reached.register
def _(condition: AllOf, run: Run) -> str | None:
    reasons = [reached(each, run) for each in condition.conditions]
    found = [reason for reason in reasons if reason]
    return " ".join(found) if found and len(found) == len(reasons) else None


def cost_limit(condition: StopCondition | None) -> int | None:
    """Nano-dollars that alone would end the run; None: there is no such limit."""
    match condition:
        case CostLimit(nano):
            return nano
        case AnyOf(conditions):
            limits = [cost_limit(each) for each in conditions]
            return min((limit for limit in limits if limit is not None), default=None)
        case _:
            return None


def _steps(count: int) -> str:
    return "one step" if count == 1 else f"{count} steps"
