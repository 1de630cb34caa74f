"""No pattern of arrivals passes more than its rate and burst allow, in any stretch of time."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from providers.engine.buckets import LocalLimiter
from providers.engine.ports import Draw, Lease

ARRIVALS = st.lists(
    st.tuples(
        st.floats(0, 5, allow_nan=False), st.floats(0.1, 3), st.sampled_from([0.0, 0.5, 4.0])
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=80, deadline=None)
@given(ARRIVALS, st.floats(0.2, 10), st.floats(3, 8))
def test_the_limiter_is_never_over_its_rate_for_any_arrival_pattern(
    arrivals: list[tuple[float, float, float]], rate: float, burst: float
) -> None:
    time = 0.0
    limiter = LocalLimiter(lambda: time)
    begun: list[tuple[float, float]] = []

    async def arrive() -> None:
        nonlocal time
        for pause, amount, patience in arrivals:
            time += pause
            taken = await limiter.take([Draw("k", amount, rate, burst)], longest_wait_s=patience)
            if taken.short is None:
                assert taken.wait_s is not None
                assert taken.wait_s <= patience
                begun.append((time + taken.wait_s, amount))
            else:
                # Told truly: so long, and it would have passed.
                assert taken.wait_s is not None
                assert taken.wait_s > patience

    asyncio.run(arrive())
    begun.sort()
    for start in range(len(begun)):
        passed = 0.0
        for at, amount in begun[start:]:
            passed += amount
            assert passed <= burst + rate * (at - begun[start][0]) + 1e-6


async def test_all_of_a_wish_is_taken_or_nothing() -> None:
    limiter = LocalLimiter(lambda: 0.0)
    rich, poor = Draw("rich", 1, 1, 10), Draw("poor", 1, 1, 1)
    place = Lease("place", "me", 1, 60)
    assert (await limiter.take([rich, poor], [place])).short is None
    assert (await limiter.take([rich, poor])).short is poor
    assert (await limiter.take([rich], [Lease("place", "you", 1, 60)])).short is not None
    assert (await limiter.take([rich])).levels == (8,)


async def test_what_is_given_back_never_fills_a_bucket_above_its_burst() -> None:
    limiter = LocalLimiter(lambda: 0.0)
    limiter.put([Draw("k", 5, 1, 3)])
    assert (await limiter.take([Draw("k", 1, 1, 3)])).levels == (2,)


async def test_many_keys_are_forgotten_before_memory_is_full() -> None:
    time = 0.0
    limiter = LocalLimiter(lambda: time)
    for number in range(25_000):
        time += 0.01
        await limiter.take([Draw(f"key:{number}", 1, 1, 1)])
    assert len(limiter._buckets) <= 10_000
