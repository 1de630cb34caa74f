"""The scripts on Redis do what the rules in Python do, step by step, with the same clock."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.engine.buckets import LocalLimiter
from providers.engine.circuit import Circuit, Failure
from providers.engine.ports import BreakerLimits, Draw, Lease
from providers.state import redis_circuits, redis_limiter
from tests.redis_server import RedisServer

pytestmark = pytest.mark.redis

LIMITS = BreakerLimits(
    threshold=3,
    rest_s=8,
    probes=2,
    successes=2,
    longest_rest_s=20,
    window_s=10,
    volume=4,
    error_rate=0.6,
    probe_s=16,
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["admit", "admit", "ok", "failed", "failed", "returned", "reset"]),
        st.integers(0, 12),
        st.sampled_from([0.0, 0.5, 1.0]),
    ),
    max_size=40,
)
QUIET = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def server(tmp_path: Any) -> Iterator[redis.Redis]:
    started = RedisServer(tmp_path)
    started.start()
    with redis.Redis(port=started.port, decode_responses=True) as asking:
        yield asking
    started.stop()


class Both:
    """The same circuit here and there."""

    def __init__(self, server: redis.Redis) -> None:
        server.flushall()
        self.server = server
        self.ours = Circuit(lambda *_: None)
        self.now = 1_000_000
        self.permits: list[tuple[int, int]] = []

    def asked(self, operation: str, *arguments: Any) -> dict[str, Any]:
        head = [operation, "1|", redis_circuits._limits_json(LIMITS), self.now * 1000]
        answer = self.server.eval(redis_circuits.SCRIPT.text, 2, "c", "i", *head, *arguments)
        return json.loads(answer)  # type: ignore[arg-type] # a sync client's answer

    def admit(self) -> dict[str, Any]:
        epoch, said = self.ours.admit(self.now, LIMITS), self.asked("admit")
        assert said["permitted"] == (epoch is not None)
        if epoch is not None:
            self.permits.append((epoch, said["epoch"]))
        return said

    def reset(self) -> dict[str, Any]:
        self.ours.reset(self.now)
        return self.asked("reset")

    def report(self, what: str, luck: float) -> dict[str, Any]:
        epoch, theirs = self.permits[len(self.permits) // 2]
        if what == "ok":
            self.ours.succeeded(epoch, self.now, LIMITS)
        elif what == "failed":
            at = Failure(datetime(2026, 1, 1, tzinfo=UTC), luck)
            self.ours.failed(epoch, self.now, LIMITS, at)
        else:
            self.ours.returned(epoch)
        return self.asked("report", theirs, what, luck)

    def compare(self, said: dict[str, Any]) -> None:
        ours = self.ours
        shown = "half-open" if ours.has_rested(self.now) else ours.word
        theirs = (said["word"], said["probes"], said["successes"])
        assert theirs == (shown, ours.probes, ours.successes)
        if shown == "open":
            left = (ours.rests_until - self.now) * 1000
            assert said["rest"] == pytest.approx(left, abs=1)
            assert said["cause"] == ours.cause
        counted = ours.counted(self.now, LIMITS) if shown == "closed" else ours.decided
        assert said["counted"] == [counted.consecutive, counted.failed, counted.total]


@QUIET
@given(STEPS)
def test_a_circuit_on_redis_is_a_circuit(
    server: redis.Redis, steps: list[tuple[str, int, float]]
) -> None:
    both = Both(server)
    both.compare(both.admit())
    for what, pause, luck in steps:
        both.now += pause
        if what == "admit":
            both.compare(both.admit())
        elif what == "reset":
            both.compare(both.reset())
        else:
            both.compare(both.report(what, luck))


WISHES = st.lists(
    st.tuples(
        st.sampled_from(["take", "take", "take", "put", "release"]),
        st.floats(0, 3),
        st.floats(0.1, 4),
        st.sampled_from([0.0, 1.0, 5.0]),
        st.integers(0, 3),
    ),
    max_size=30,
)


@QUIET
@given(WISHES)
def test_a_limiter_on_redis_is_a_limiter(
    server: redis.Redis, wishes: list[tuple[str, float, float, float, int]]
) -> None:
    server.flushall()
    now = 1_000_000.0
    ours = LocalLimiter(lambda: now)

    def asked(operation: str, draws: list[Draw], leases: list[Lease], wait: float) -> Any:
        wish = {
            "draws": [{"amount": d.amount, "rate": d.rate, "burst": d.burst} for d in draws],
            "leases": [{"holder": x.holder, "most": x.most, "ttl_s": x.ttl_s} for x in leases],
            "wait_s": wait,
            "now": now,
        }
        keys = [each.key for each in [*draws, *leases]]
        body = json.dumps(wish)
        return json.loads(
            server.eval(redis_limiter.SCRIPT.text, len(keys), *keys, operation, body)  # type: ignore[arg-type]
        )

    for what, pause, amount, patience, holder in wishes:
        now += pause
        draws = [Draw("a", amount, 1.0, 5), Draw("b", amount / 2, 0.5, 2)]
        leases = [Lease("p", str(holder), 2, 4)]
        if what == "take":
            taken = asyncio.run(ours.take(draws, leases, patience))
            said = asked("take", draws, leases, patience)
            short = [*draws, *leases][said["short"] - 1] if said["short"] else None
            assert short == taken.short
            assert list(said["levels"] or ()) == pytest.approx(list(taken.levels), abs=1e-6)
            assert said.get("wait") == (
                None if taken.wait_s is None else pytest.approx(taken.wait_s, abs=1e-6)
            )
        elif what == "put":
            ours.put(draws)
            asked("put", draws, [], 0)
        else:
            ours.release(leases)
            asked("release", [], leases, 0)
