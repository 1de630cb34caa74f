"""Where a budget says so, a cheaper route answers, and the caller is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from providers.engine.embedding import EmbeddingRequest
from providers.engine.errors import BudgetExceeded
from providers.engine.events import Notice, NoticeKind
from providers.engine.pipeline import Engine
from providers.engine.ports import Downgrade
from providers.engine.routes import Route
from tests.fakes import CALLER, MemoryLedger, a_deployment, a_request, a_route

DEAR = a_deployment(max_output_tokens=100)
SMALL = Route("small", (a_deployment(2, max_output_tokens=10),))
WANTED = Downgrade("monthly budget of team Search", "small", "The monthly budget is used up")


@pytest.fixture(autouse=True)
def _knows_small(engine: Engine, ledger: MemoryLedger) -> None:
    ledger.downgrade = WANTED
    engine.budget.find_route = {"small": SMALL}.get


async def heard(engine: Engine, caller: Any = CALLER, **request: Any) -> tuple[Any, list[Notice]]:
    async with engine.open(a_request(**request), caller, a_route(DEAR)) as answer:
        events = [event async for event in answer.events]
    return answer, [event for event in events if isinstance(event, Notice)]


async def test_the_cheaper_route_answers_holds_its_own_worst_case_and_says_so(
    engine: Engine, ledger: MemoryLedger
) -> None:
    answer, notices = await heard(engine)
    assert answer.deployment.name == "provider2/model2"
    assert not answer.is_fallback
    assert answer.call.cheaper_route == "small"
    words = "The monthly budget is used up, so small answers instead of gpt."
    assert notices == [Notice(NoticeKind.BUDGET, words)]
    first, second = ledger.intents
    assert (first.is_degraded, second.is_degraded) == (False, True)
    # It is booked under the name that was asked for.
    assert second.route == "gpt"
    assert (second.worst_case_nano or 0) < (first.worst_case_nano or 0)


async def test_a_hard_budget_still_refuses_the_cheaper_route(
    engine: Engine, ledger: MemoryLedger
) -> None:
    ledger.limit_nano = 0
    with pytest.raises(BudgetExceeded, match="The budget is spent"):
        await heard(engine)
    assert ledger.held_nano == 0


async def test_a_route_that_is_gone_or_not_allowed_is_a_refusal_in_words(engine: Engine) -> None:
    bound = replace(CALLER, routes=frozenset({"gpt"}))
    with pytest.raises(BudgetExceeded, match="is none that this key may use") as refused:
        await heard(engine, bound)
    assert refused.value.budget == WANTED.budget
    engine.budget.find_route = lambda _: None
    with pytest.raises(BudgetExceeded, match="cheaper route small is not in use"):
        await heard(engine)


async def test_what_was_to_stay_on_this_machine_stays(engine: Engine) -> None:
    away = Route("small", (a_deployment(2, is_local=False, base_url="https://a.example"),))
    engine.budget.find_route = lambda _: away
    with pytest.raises(BudgetExceeded, match="is not on this machine"):
        await heard(engine)


async def test_each_step_of_a_run_is_led_there_by_itself(
    engine: Engine, ledger: MemoryLedger
) -> None:
    from providers.engine.request import MaxSteps

    answer, _ = await heard(engine, stop_when=MaxSteps(2))
    assert answer.call.cheaper_route == "small"
    assert [intent.is_degraded for intent in ledger.intents] == [False, True]


async def test_vectors_are_refused_since_a_cheaper_models_would_not_fit(engine: Engine) -> None:
    asked = EmbeddingRequest(a_request().id, "gpt", ("text",))
    with pytest.raises(BudgetExceeded, match="vectors that fit no others"):
        await engine.embed(asked, CALLER, a_route(DEAR))
