"""A hard budget under a crowd: never overspent, never under-used."""

from __future__ import annotations

import asyncio
import random
import threading
from decimal import Decimal
from typing import Any

import openai
from django.db import connection

from providers.engine.usage import NANO_PER_USD
from providers.ledger import budgets
from tests.journeys.gateway.world import World, eventually

CALLERS, FIT = 64, 10
HI: Any = [{"role": "user", "content": "hi"}]


async def ask(world: World, route: str, number: int, **fields: Any) -> bool:
    """Whether it was admitted."""
    async with world.async_client() as client:
        try:
            await client.chat.completions.create(model=route, messages=HI, **fields)
        except openai.RateLimitError as refused:
            return refused.code != "insufficient_quota"
    return True


def worst_case_nano(world: World, route: str) -> int:
    """Read what one such request holds from one that is held."""
    world.upstream.hold()
    alone = threading.Thread(target=lambda: asyncio.run(ask(world, route, 0)))
    alone.start()
    world.upstream.wait_until(open_now=1)
    row = world.books.execute(
        "SELECT held_nano FROM providers_reservation WHERE key_id = %s", [world.key.pk]
    ).fetchone()
    assert row is not None
    world.upstream.release()
    alone.join()
    return int(row[0])


def test_at_its_limit_a_degrading_budget_has_the_cheaper_route_answer_and_says_so(
    world: World,
) -> None:
    dear, small = world.route("fox", max_output=100_000), world.route("fox", max_output=10)
    budgets.set_budget(
        scope=budgets.parse_scope(f"key:{world.key.prefix}"),
        limit_usd=Decimal("0.01"),
        period="total",
        is_hard=False,
        policy=budgets.Policy(degrade_to=small),
    )
    connection.close()
    answer = world.post({"model": dear, "messages": HI})
    assert answer.status_code == 200
    assert answer.headers["x-gai-budget"] == f"degraded; route={small}"
    assert answer.headers["x-gai-fallback"] == "false"
    assert "x-gai-budget" not in world.post({"model": small, "messages": HI}).headers
    held = world.books.execute(
        "SELECT max(held_nano) FROM providers_reservation WHERE key_id = %s AND route = %s",
        [world.key.pk, dear],
    ).fetchone()
    assert held is not None
    assert held[0] < 10**7


def test_of_64_at_once_exactly_the_10_that_fit_are_admitted(world: World) -> None:
    route = world.route("hold")
    worst = worst_case_nano(world, route)
    spent = world.spent_nano()
    world.budget(Decimal(spent + FIT * worst) / NANO_PER_USD)
    world.upstream.reset()
    world.upstream.hold()

    async def crowd() -> list[bool]:
        asked = [asyncio.create_task(ask(world, route, n)) for n in range(CALLERS)]
        # Everybody is decided while the admitted ones are still held upstream.
        decided = asyncio.as_completed(asked)
        for _ in range(CALLERS - FIT):
            await next(decided)
        await asyncio.to_thread(world.upstream.wait_until, open_now=FIT)
        world.upstream.release()
        return await asyncio.gather(*asked)

    admitted = asyncio.run(crowd())
    assert sum(admitted) == FIT
    assert world.upstream.most_open == FIT
    world.settled()
    assert world.held_nano() == 0


def test_with_early_settlement_and_random_sizes_the_sum_stays_below(world: World) -> None:
    sizes = random.Random(7)
    route = world.route("ok", max_output=40)
    limit_nano = 900_000
    world.budget(Decimal(limit_nano) / NANO_PER_USD)

    async def crowd() -> list[bool]:
        return await asyncio.gather(
            *(ask(world, route, n, max_tokens=sizes.randint(1, 40)) for n in range(CALLERS))
        )

    admitted = asyncio.run(crowd())
    assert any(admitted)
    assert not all(admitted)
    world.settled()
    assert 0 < world.spent_nano() <= limit_nano
    assert eventually(lambda: world.held_nano() == 0)
