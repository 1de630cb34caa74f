"""One row through the gateway: what came of it, and whether it is to be asked again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from conversations.batches.book import MOST_FAULTS, Outcome, Taken
from conversations.runs.ports import OpenAnswer
from conversations.runs.steps import storable
from providers.engine.call import MOST_STEPS
from providers.engine.errors import (
    BudgetExceeded,
    EngineError,
    LedgerUnavailable,
    NotAllowed,
    RateLimited,
    ServerStopping,
    ServiceDegraded,
    UnknownModel,
    Unpriced,
)
from providers.engine.events import Event, Finish, Notice, Safety, TextDelta

_PAUSES = (BudgetExceeded, Unpriced, UnknownModel, NotAllowed)
"""What the next row would meet as well, until somebody does something about it."""
_WAITS = (RateLimited, ServiceDegraded, LedgerUnavailable, ServerStopping)
"""What passes by itself and says nothing of the row."""
_WAIT_S = 5.0
_LONGEST_WAIT_S = 300.0
_OFTEN, _SELDOM_S = 50, 60.0
MOST_TRIES = MOST_STEPS - 100
"""A receipt finds no more; with the waits between them it is most of a day."""


@dataclass(frozen=True, slots=True)
class Answered:
    """For good: with an answer, or with an error that the same prompt would meet again."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Again:
    """After `wait_s` seconds. `is_fault`: it counts, and too many of them end it.

    `pauses`: not before somebody lets the batch go on.
    """

    error: dict[str, Any]
    wait_s: float = 0.0
    is_fault: bool = False
    pauses: bool = False


async def ask(taken: Taken, open_answer: OpenAnswer) -> Answered | Again:
    """Ask once. Cancelled, it leaves the answer, which books what was streamed."""
    outcome = Outcome()
    said: list[str] = []
    try:
        async with open_answer(taken.request, taken.caller) as answer:
            outcome.answered_by = answer.deployment.name
            async for event in answer.events:
                _take(event, outcome, said)
    except EngineError as error:
        return _judged(error, outcome, taken)
    usage = answer.call.usage
    if usage is not None:
        outcome.input_tokens, outcome.output_tokens = usage.input_tokens, usage.output_tokens
    outcome.cost_nano = answer.call.cost_nano
    outcome.text = storable("".join(said))
    return Answered(outcome)


def _take(event: Event, outcome: Outcome, said: list[str]) -> None:
    match event:
        case TextDelta(text):
            said.append(text)
        case Notice(_, message) | Safety(_, message):
            outcome.notices.append(message)
        case Finish(reason):
            outcome.finish_reason = reason.value
        case _:
            pass


def _judged(error: EngineError, outcome: Outcome, taken: Taken) -> Answered | Again:
    told = {"code": error.code, "message": error.message}
    if isinstance(error, _PAUSES):
        return Again(told, pauses=True)
    wait_s = min(error.retry_after_s or _WAIT_S, _LONGEST_WAIT_S)
    if isinstance(error, _WAITS) and taken.tries < MOST_TRIES:
        return Again(told, wait_s if taken.tries < _OFTEN else max(wait_s, _SELDOM_S))
    if error.may_retry and taken.faults + 1 < MOST_FAULTS:
        return Again(told, max(wait_s, _WAIT_S * 2**taken.faults), is_fault=True)
    outcome.error = told
    return Answered(outcome)
