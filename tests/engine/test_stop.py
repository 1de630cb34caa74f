"""Each stop condition sees the whole run and says why it stopped."""

from __future__ import annotations

import pytest

from providers.engine import stop
from providers.engine.events import FinishReason, StepEnded
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
    ToolCall,
    UntilTool,
)
from providers.engine.stop import Run
from providers.engine.usage import Usage

NEVER = MaxSteps(99)


def a_step(text: str = "", tool: str | None = "search", cost: int | None = 100) -> StepEnded:
    calls = (ToolCall("1", tool, "{}"),) if tool else ()
    return StepEnded(1, text, calls, (), Usage(10, 5), cost, 1, FinishReason.TOOL_CALLS)


def a_run(*steps: StepEnded, elapsed_s: float = 1.0, next_nano: int | None = 50) -> Run:
    return Run(steps or (a_step(), a_step("so far")), elapsed_s, next_nano)


@pytest.mark.parametrize(
    ("condition", "run", "words"),
    [
        (MaxSteps(2), a_run(), "2 steps"),
        (MaxSteps(3), a_run(), None),
        (MaxSteps(1), a_run(a_step()), "one step"),
        (NoMoreTools(), a_run(a_step(tool=None)), "no more tools"),
        (NoMoreTools(), a_run(), None),
        (UntilTool("search"), a_run(a_step(), a_step(tool="other")), "search was called"),
        (UntilTool("send"), a_run(), None),
        (TextMatch("far"), a_run(), "waited for"),
        (TextMatch("DONE"), a_run(a_step("DO"), a_step("NE")), "waited for"),
        (TextMatch("done"), a_run(a_step("DONE")), None),
        (CostLimit(250), a_run(), None),
        (CostLimit(249), a_run(), "$0.000000050; of the cost limit of $0.000000249 only"),
        (CostLimit(10**9), a_run(a_step(cost=None)), "not known"),
        (CostLimit(10**9), a_run(next_nano=None), "not known"),
        (TimeLimit(1.0), a_run(), "1 seconds"),
        (TimeLimit(1.5), a_run(), None),
        (TokenLimit(30), a_run(), "30 tokens are used"),
        (TokenLimit(31), a_run(), None),
        (AnyOf((NEVER, MaxSteps(2))), a_run(), "2 steps"),
        (AnyOf((NEVER, TextMatch("x"))), a_run(), None),
        (AnyOf(()), a_run(), None),
        (AllOf((MaxSteps(2), UntilTool("search"))), a_run(), "2 steps"),
        (AllOf((MaxSteps(2), NEVER)), a_run(), None),
        (AllOf(()), a_run(), None),
        (AnyOf((AllOf((NEVER,)), AllOf((TimeLimit(1),)))), a_run(), "1 seconds"),
    ],
)
def test_a_condition_says_why_or_nothing(
    condition: StopCondition, run: Run, words: str | None
) -> None:
    reason = stop.reached(condition, run)
    assert (reason is None) == (words is None)
    assert words is None or words in str(reason)


def test_cost_is_compared_for_all_steps_together_and_not_for_each() -> None:
    """The guide's own snippet compares the cost of one step with the whole budget."""
    steps = [a_step(cost=100) for _ in range(10)]
    assert stop.reached(CostLimit(1_000), Run(steps, 0.0, 50)) is not None
    assert stop.reached(CostLimit(1_000), Run(steps[:9], 0.0, 50)) is None


def test_a_step_that_might_break_the_limit_is_not_begun() -> None:
    assert stop.reached(CostLimit(1_000), a_run(a_step(cost=100), next_nano=901)) is not None


@pytest.mark.parametrize(
    ("condition", "limit"),
    [
        (None, None),
        (CostLimit(7), 7),
        (AnyOf((NEVER, CostLimit(9), AnyOf((CostLimit(8),)))), 8),
        (AllOf((CostLimit(7), NEVER)), None),
    ],
)
def test_a_limit_that_alone_ends_a_run_is_found(
    condition: StopCondition | None, limit: int | None
) -> None:
    assert stop.cost_limit(condition) == limit
