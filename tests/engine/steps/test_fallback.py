from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from providers.engine.call import Answer
from providers.engine.errors import (
    BudgetExceeded,
    ContentBlocked,
    ContextTooLong,
    EngineError,
    InvalidRequest,
    NoDeploymentAvailable,
    UpstreamRejected,
    UpstreamThrottled,
    UpstreamUnavailable,
)
from providers.engine.events import Notice, NoticeKind
from providers.engine.needs import needs_of, unfit
from providers.engine.pipeline import Engine
from providers.engine.request import Audio, File, Image, Message, ResponseSchema, Role, Text, Tool
from providers.engine.routes import Ability, Deployment, Route
from tests.engine.conftest import an_engine
from tests.fakes import (
    CALLER,
    MemoryLedger,
    Recorder,
    Script,
    a_deployment,
    a_request,
    an_answer,
)

DOWN = UpstreamUnavailable("provider1/model1 is not available.")
PICTURE = (Message(Role.USER, (Text("What is it?"), Image("data:image/png;base64,AAAA"))),)
TOOL = Tool("look", "", {"type": "object"})


async def ask(engine: Engine, route: Route, **fields: object) -> Answer:
    async with engine.open(a_request(**fields), CALLER, route) as answer:
        async for _ in answer.events:
            pass
    return answer


def pair(**lacks: object) -> Route:
    return Route("gpt", (a_deployment(1, **lacks), a_deployment(2)))


@pytest.mark.parametrize(
    ("ability", "fields", "words"),
    [
        (Ability.VISION, {"messages": PICTURE}, "images"),
        (Ability.TOOLS, {"tools": (TOOL,)}, "tools"),
        (Ability.JSON, {"response_schema": ResponseSchema()}, "a JSON schema"),
    ],
)
async def test_what_cannot_take_the_prompt_is_skipped_before_it_is_tried_and_said(
    engine: Engine, script: Script, ability: Ability, fields: dict[str, object], words: str
) -> None:
    route = pair(lacks=frozenset({ability}))
    answer = await ask(engine, route, **fields)
    assert script.opened == ["provider2/model2"]
    assert answer.is_fallback
    (notice,) = answer.call.notices
    assert notice == Notice(
        NoticeKind.FALLBACK, f"provider1/model1 cannot take {words}. It was not asked."
    )
    # And it answers what it can take.
    assert not (await ask(engine, route)).is_fallback


def test_audio_and_files_are_abilities_too() -> None:
    parts = (Audio("data:audio/wav;base64,AAAA"), File("data:application/pdf;base64,AAAA"))
    needs = needs_of(a_request(messages=(Message(Role.USER, parts),)))
    assert needs == {Ability.AUDIO, Ability.FILES}
    words = unfit(a_deployment(lacks=frozenset(Ability)), needs, 10)
    assert words == "provider1/model1 cannot take audio and files."


async def test_a_context_that_is_too_short_is_skipped(engine: Engine, script: Script) -> None:
    answer = await ask(engine, pair(context_tokens=10), text="word " * 100)
    assert script.opened == ["provider2/model2"]
    assert "takes 10 tokens, and the prompt has about 125" in answer.call.notices[0].message


async def test_an_image_does_not_count_by_its_bytes(engine: Engine, script: Script) -> None:
    image = Image("data:image/png;base64," + "A" * 400_000)
    await ask(engine, pair(context_tokens=8000), messages=(Message(Role.USER, (image,)),))
    assert script.opened == ["provider1/model1"]


async def test_when_nobody_can_take_it_the_caller_reads_why(engine: Engine) -> None:
    blind = Route("gpt", (a_deployment(1, lacks=frozenset({Ability.VISION})),))
    with pytest.raises(InvalidRequest, match="provider1/model1 cannot take images"):
        await ask(engine, blind, messages=PICTURE)
    short = Route("gpt", (a_deployment(1, context_tokens=2),))
    with pytest.raises(ContextTooLong, match="takes 2 tokens"):
        await ask(engine, short, text="far too long for it")


async def test_no_cause_is_dropped(engine: Engine, script: Script) -> None:
    """Every failure and every skip is in the error and in its words."""
    route = Route(
        "gpt",
        (a_deployment(1), a_deployment(2, lacks=frozenset({Ability.TOOLS})), a_deployment(3)),
    )
    script.plays_for(route.deployments[0], [DOWN])
    script.plays_for(route.deployments[2], [UpstreamThrottled("slow.", retry_after_s=300)])
    with pytest.raises(NoDeploymentAvailable) as caught:
        await ask(engine, route, tools=(TOOL,))
    assert [name for name, _ in caught.value.failures] == ["provider1/model1", "provider3/model3"]
    for words in ("provider1/model1 is not available.", "cannot take tools", "slow."):
        assert words in caught.value.message
    assert caught.value.retry_after_s == 300


def test_no_providers_and_the_same_one_twice_are_refused() -> None:
    with pytest.raises(ValueError, match="once"):
        Route("gpt", ())
    with pytest.raises(ValueError, match="once"):
        Route("gpt", (a_deployment(1), a_deployment(1)))
    with pytest.raises(ValueError, match="weight"):
        Route("gpt", (a_deployment(1),), {1: 0})


async def test_each_vendor_is_asked_for_its_own_model_name(engine: Engine, script: Script) -> None:
    asked: list[str] = []
    opening = script.open

    def noting(attempt: object, secret: str | None) -> object:
        asked.append(attempt.deployment.model)  # type: ignore[attr-defined]
        return opening(attempt, secret)  # type: ignore[arg-type]

    script.open = noting  # type: ignore[assignment,method-assign]
    script.plays_for(a_deployment(1), [DOWN])
    await ask(engine, pair())
    assert asked == ["model1", "model2"]


async def test_weights_spread_the_traffic_and_order_is_the_order_of_fallback(
    script: Script, ledger: MemoryLedger, recorder: Recorder
) -> None:
    luck = iter([place / 40 for place in range(40)])
    engine = an_engine(script, ledger, recorder, random=lambda: next(luck))
    route = Route("gpt", tuple(a_deployment(id) for id in (1, 2, 3)), {1: 1.0, 3: 3.0})
    first = Counter([(await ask(engine, route)).deployment.id for _ in range(40)])
    assert first == {1: 10, 3: 30}
    script.opened.clear()
    luck = iter([0.9] * 9)
    script.plays_for(route.deployments[2], [DOWN])
    script.plays_for(route.deployments[0], [DOWN])
    answer = await ask(engine, route)
    assert [name[-1] for name in script.opened] == ["3", "1", "2"]
    assert answer.is_fallback


async def test_the_one_that_a_weight_chose_is_no_fallback(
    script: Script, ledger: MemoryLedger, recorder: Recorder
) -> None:
    engine = an_engine(script, ledger, recorder, random=lambda: 0.9)
    route = Route("gpt", (a_deployment(1), a_deployment(2)), {1: 1.0, 2: 1.0})
    answer = await ask(engine, route)
    assert answer.deployment.id == 2
    assert not answer.is_fallback


async def test_a_wait_that_the_server_asks_for_and_that_is_too_long_means_the_next_at_once(
    engine: Engine, script: Script
) -> None:
    first: Deployment = a_deployment(1, max_attempts=5)
    script.plays_for(first, [UpstreamThrottled("slow.", retry_after_s=3600)])
    began = asyncio.get_running_loop().time()
    answer = await ask(engine, Route("gpt", (first, a_deployment(2))))
    assert answer.is_fallback
    assert asyncio.get_running_loop().time() == began
    assert script.opened == ["provider1/model1", "provider2/model2"]


async def test_retries_are_not_nested(
    script: Script, ledger: MemoryLedger, recorder: Recorder
) -> None:
    """One owner of retries: two deployments of four attempts make eight calls, not sixteen."""
    engine = an_engine(script, ledger, recorder)
    both = tuple(a_deployment(id, max_attempts=4) for id in (1, 2))
    for each in both:
        script.plays_for(each, [DOWN])
    with pytest.raises(NoDeploymentAvailable):
        await ask(engine, Route("gpt", both))
    assert len(script.opened) == 8


async def test_a_slow_primary_may_not_eat_the_fallbacks_time(
    engine: Engine, script: Script
) -> None:
    slow = a_deployment(1, first_token_timeout_s=3600.0)
    script.plays_for(slow, [3600.0, *an_answer()])
    began = asyncio.get_running_loop().time()
    answer = await ask(engine, Route("gpt", (slow, a_deployment(2))))
    assert answer.is_fallback
    assert asyncio.get_running_loop().time() - began == pytest.approx(engine.open_timeout_s / 2)


@pytest.mark.parametrize(
    "error",
    [
        UpstreamRejected("provider1/model1 refused the request.", status=400),
        ContentBlocked("provider1/model1 blocked the prompt."),
        ContextTooLong("It is too long."),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_callers_400_and_a_content_block_are_not_asked_of_the_next(
    engine: Engine, script: Script, error: EngineError
) -> None:
    script.plays_for(a_deployment(1), [error])
    with pytest.raises(type(error)):
        await ask(engine, pair())
    assert script.opened == ["provider1/model1"]


async def test_a_cancellation_is_not_asked_of_the_next(engine: Engine, script: Script) -> None:
    script.plays_for(a_deployment(1), [3600.0])
    asking = asyncio.create_task(ask(engine, pair()))
    await asyncio.sleep(1)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert script.opened == script.closed == ["provider1/model1"]


async def test_a_spent_budget_is_not_asked_of_the_next(script: Script, recorder: Recorder) -> None:
    spent = an_engine(script, MemoryLedger(limit_nano=1), recorder)
    with pytest.raises(BudgetExceeded):
        await ask(spent, pair())
    assert script.opened == []


@pytest.mark.parametrize(
    "fields",
    [{"stream": True}, {"stream": False}, {"response_schema": ResponseSchema()}],
    ids=["stream", "plain", "structured"],
)
async def test_streams_and_structured_output_fall_back_as_plain_text_does(
    engine: Engine, script: Script, fields: dict[str, object]
) -> None:
    script.plays_for(a_deployment(1), [DOWN])
    script.plays_for(a_deployment(2), an_answer("{}"))
    answer = await ask(engine, pair(), **fields)
    assert answer.is_fallback
    assert script.opened == ["provider1/model1", "provider2/model2"]
