"""An emergency through the whole pipeline: what is kept stays in its team, nothing is asked."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from providers.engine.call import Caller, Source, Tier
from providers.engine.embedding import EmbeddingRequest
from providers.engine.errors import ServiceDegraded
from providers.engine.events import Event, Notice, TextDelta
from providers.engine.levels import FULL, InForce, Level
from providers.engine.pipeline import Engine
from tests.engine.conftest import an_engine
from tests.engine.steps.test_cache import Memory
from tests.fakes import CALLER, MemoryLedger, Recorder, Script, a_deployment, a_request, a_route

OTHER_TEAM = Caller(Source.GATEWAY, user_id=2, team_id=2, key_id=2)
EMERGENCY = InForce(Level.EMERGENCY, 0.4)


@pytest.fixture
def engine(script: Script, ledger: MemoryLedger, recorder: Recorder) -> Engine:
    tiers = (Memory(Tier.LOCAL), Memory(Tier.SHARED))
    return an_engine(script, ledger, recorder, cache_tiers=tiers, cache_secret=b"k" * 32)


async def ask(engine: Engine, caller: Caller = CALLER) -> list[Event]:
    request = a_request("Same", temperature=0.0)
    async with engine.open(request, caller, a_route()) as answer:
        return [event async for event in answer.events]


def said(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def in_force(engine: Engine, force: InForce) -> None:
    engine.degradation.in_force = lambda _: force


async def test_a_kept_answer_is_given_with_its_age_and_the_guide_s_warning(
    engine: Engine, script: Script, ledger: MemoryLedger
) -> None:
    first = said(await ask(engine))
    script.plays_for(a_deployment(), [RuntimeError("nothing may go upstream")])
    in_force(engine, EMERGENCY)
    holds = len(ledger.intents)
    events = await ask(engine)
    assert said(events) == first
    told = [event.message for event in events if isinstance(event, Notice)]
    assert any("from the cache" in words for words in told)
    assert "System is under high load, returning cached response" in told
    assert len(ledger.intents) == holds


async def test_a_cached_answer_never_crosses_to_another_team_in_an_emergency(
    engine: Engine,
) -> None:
    first = said(await ask(engine))
    in_force(engine, EMERGENCY)
    assert said(await ask(engine)) == first
    with pytest.raises(ServiceDegraded):
        await ask(engine, OTHER_TEAM)


async def test_an_answer_that_was_shortened_is_not_what_a_full_prompt_gets_later(
    engine: Engine, recorder: Recorder
) -> None:
    in_force(engine, InForce(Level.SIMPLIFIED, 0.8, output_cap=500))
    await ask(engine)
    in_force(engine, replace(FULL))
    events = await ask(engine)
    assert not any(isinstance(event, Notice) for event in events)


async def test_texts_are_not_made_vectors_in_an_emergency_and_nothing_is_held(
    engine: Engine, ledger: MemoryLedger
) -> None:
    in_force(engine, EMERGENCY)
    request = EmbeddingRequest(uuid4(), "gpt", ("one", "two"))
    with pytest.raises(ServiceDegraded) as refused:
        await engine.embed(request, CALLER, a_route())
    assert refused.value.health_score == 0.4
    assert ledger.intents == []
