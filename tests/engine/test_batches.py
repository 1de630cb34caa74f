"""Texts of several callers in one request: who shares, who pays what, who fails alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.engine.adapters.demo.embeddings import vector
from providers.engine.batches import Limits, split
from providers.engine.call import AttemptStatus, Caller, Embedding, Source
from providers.engine.embedding import EmbeddingReply, EmbeddingRequest
from providers.engine.errors import UpstreamMisconfigured, UpstreamRejected, UpstreamUnavailable
from providers.engine.pipeline import Engine
from providers.engine.usage import Usage
from tests.engine.conftest import an_engine
from tests.fakes import (
    CALLER,
    PRICE,
    MemoryLedger,
    Recorder,
    Script,
    a_deployment,
    a_route,
)

OTHER_TEAM = Caller(Source.GATEWAY, user_id=2, team_id=2, key_id=2)
# A price that no whole number of nano-dollars a token fits.
ODD = replace(PRICE, input=Decimal("0.0137"))


@dataclass
class Vectors:
    """Answers each text with its length; refuses whole requests with `bad` in them."""

    kind: str = "script"
    most_inputs: int = 2048
    wait_s: float = 0.0
    usage: Usage | None = field(default_factory=lambda: Usage(101, 0))
    failures: list[Exception] = field(default_factory=list)
    asked: list[list[str]] = field(default_factory=list)
    most_open: int = 0
    _open: int = 0

    async def embed(
        self, deployment: Any, inputs: Sequence[str], dimensions: int | None, secret: str | None
    ) -> EmbeddingReply:
        self.asked.append(list(inputs))
        self._open += 1
        self.most_open = max(self.most_open, self._open)
        await asyncio.sleep(self.wait_s)
        self._open -= 1
        if self.failures:
            raise self.failures.pop(0)
        if "bad" in inputs:
            raise UpstreamRejected("a text is too long.", status=400)
        return EmbeddingReply(tuple((float(len(text)),) for text in inputs), "m", self.usage, 200)


@pytest.fixture
def vectors() -> Vectors:
    return Vectors()


@pytest.fixture
def engine(script: Script, ledger: MemoryLedger, recorder: Recorder, vectors: Vectors) -> Engine:
    return an_engine(script, ledger, recorder, embedding_adapters={"script": vectors})


async def embed(
    engine: Engine, *texts: str, caller: Caller = CALLER, dimensions: int | None = None
) -> Embedding:
    request = EmbeddingRequest(uuid4(), "gpt", texts, dimensions)
    return await engine.embed(request, caller, a_route(a_deployment(price=ODD)))


async def test_callers_at_the_same_moment_share_a_request_and_get_their_own_vectors(
    engine: Engine, vectors: Vectors, recorder: Recorder
) -> None:
    found = await asyncio.gather(*(embed(engine, "x" * n) for n in range(1, 11)))
    assert len(vectors.asked) == 1
    assert [each.vectors for each in found] == [((float(n),),) for n in range(1, 11)]
    assert recorder.batches == [10]
    assert recorder.calls == [None] * 10


async def test_the_parts_of_a_batch_cost_exactly_what_the_whole_costs(
    engine: Engine, ledger: MemoryLedger
) -> None:
    found = await asyncio.gather(*(embed(engine, "x" * n) for n in (1, 5, 17, 100)))
    assert sum(each.call.usage.input_tokens for each in found if each.call.usage) == 101
    assert sum(each.call.cost_nano or 0 for each in found) == ODD.cost_nano(Usage(101, 0))
    assert ledger.spent_nano == ODD.cost_nano(Usage(101, 0))
    assert (len(ledger.settled), ledger.held) == (4, {})


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**12), st.lists(st.integers(1, 10**6), min_size=1, max_size=50))
def test_a_whole_is_split_without_loss_and_by_weight(whole: int, weights: list[int]) -> None:
    parts = split(whole, weights)
    assert sum(parts) == whole
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - whole * weight / sum(weights)) <= 1 + whole * 1e-12


async def test_one_bad_text_fails_alone(engine: Engine, vectors: Vectors) -> None:
    texts = ["a", "b", "bad", "c", "d", "e", "f", "g"]
    found = await asyncio.gather(*(embed(engine, text) for text in texts), return_exceptions=True)
    failed = [text for text, each in zip(texts, found, strict=True) if isinstance(each, Exception)]
    assert failed == ["bad"]
    assert isinstance(found[2], UpstreamRejected)
    assert len(vectors.asked) == 1 + 2 * 3


async def test_an_outage_fails_all_and_is_not_multiplied_by_halves(
    engine: Engine, vectors: Vectors
) -> None:
    vectors.failures = [UpstreamUnavailable("down.", status=503)]
    found = await asyncio.gather(*(embed(engine, "x") for _ in range(8)), return_exceptions=True)
    assert {type(each) for each in found} == {UpstreamUnavailable}
    assert len({id(each) for each in found}) == 8
    assert len(vectors.asked) == 1


async def test_another_team_or_length_of_vectors_never_shares_a_request(
    engine: Engine, vectors: Vectors
) -> None:
    await asyncio.gather(
        embed(engine, "a"),
        embed(engine, "b", caller=OTHER_TEAM),
        embed(engine, "c", dimensions=8),
        embed(engine, "d"),
    )
    assert sorted(vectors.asked) == [["a", "d"], ["b"], ["c"]]


async def test_a_full_batch_leaves_at_once_and_many_texts_take_several(
    script: Script, ledger: MemoryLedger, recorder: Recorder, vectors: Vectors
) -> None:
    engine = an_engine(
        script,
        ledger,
        recorder,
        embedding_adapters={"script": vectors},
        batch_limits=Limits(most_inputs=3, wait_s=60),
    )
    began = asyncio.get_running_loop().time()
    found = await embed(engine, *("x" * n for n in range(1, 10)))
    assert asyncio.get_running_loop().time() == began
    assert [len(each) for each in vectors.asked] == [3, 3, 3]
    assert found.vectors == tuple((float(n),) for n in range(1, 10))
    assert found.call.usage == Usage(303, 0)


async def test_requests_under_way_are_bounded(
    script: Script, ledger: MemoryLedger, recorder: Recorder, vectors: Vectors
) -> None:
    vectors.wait_s = 1.0
    engine = an_engine(
        script,
        ledger,
        recorder,
        embedding_adapters={"script": vectors},
        batch_limits=Limits(most_inputs=1, in_flight=2),
    )
    await asyncio.gather(*(embed(engine, "x") for _ in range(10)))
    assert (len(vectors.asked), vectors.most_open) == (10, 2)


async def test_a_cancelled_waiter_is_dropped_before_the_batch_leaves(
    engine: Engine, vectors: Vectors
) -> None:
    engine.batcher.limits = Limits(wait_s=10)
    leaver, stayer = (asyncio.create_task(embed(engine, text)) for text in ("gone", "here"))
    await asyncio.sleep(1)
    leaver.cancel()
    found = await stayer
    assert vectors.asked == [["here"]]
    assert found.vectors == ((4.0,),)


async def test_at_the_end_of_the_process_what_waits_is_sent(
    engine: Engine, vectors: Vectors
) -> None:
    engine.batcher.limits = Limits(wait_s=600)
    began = asyncio.get_running_loop().time()
    waiting = asyncio.create_task(embed(engine, "last"))
    await asyncio.sleep(1)
    await engine.drain()
    assert (await waiting).vectors == ((4.0,),)
    assert asyncio.get_running_loop().time() - began < 2


async def test_no_output_is_held_and_the_input_is(engine: Engine, ledger: MemoryLedger) -> None:
    await embed(engine, "x" * 50)
    assert ledger.intents[0].worst_case_nano == ODD.worst_case_nano(50, 0)


async def test_tokens_nobody_told_are_estimated_and_said_so(
    engine: Engine, vectors: Vectors
) -> None:
    vectors.usage = None
    found = await embed(engine, "x" * 40)
    assert found.call.usage == Usage(10, 0, estimated=True)
    assert found.call.attempts[0].status is AttemptStatus.OK


async def test_a_deployment_without_embeddings_lets_the_next_one_answer(engine: Engine) -> None:
    route = a_route(a_deployment(1, kind="none"), a_deployment(2))
    with pytest.raises(KeyError):
        engine.adapters["none"]
    none = an_engine(
        Script(),
        MemoryLedger(),
        Recorder(),
        adapters={"none": Script(), "script": Script()},
        embedding_adapters={"script": Vectors()},
    )
    found = await none.embed(EmbeddingRequest(uuid4(), "gpt", ("x",)), CALLER, route)
    assert found.deployment.id == 2
    with pytest.raises(UpstreamMisconfigured, match="makes no embeddings"):
        await none.embed(
            EmbeddingRequest(uuid4(), "gpt", ("x",)), CALLER, a_route(a_deployment(kind="none"))
        )


def test_the_demos_vectors_have_length_one_and_point_alike_for_alike_words() -> None:
    def near(one: str, other: str) -> float:
        pairs = zip(vector(one, 256), vector(other, 256), strict=True)
        return sum(left * right for left, right in pairs)

    assert vector("Hello world", 256) == vector("Hello world", 256)
    assert near("Hello world", "Hello world") == pytest.approx(1.0)
    assert near("the cat sat", "the cat ran") > near("the cat sat", "money in banks") + 0.3
