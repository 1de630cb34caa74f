"""Which traces are sampled, and what an id is made of."""

from __future__ import annotations

from uuid import UUID

import pytest
from opentelemetry.sdk.trace.sampling import Decision
from uuid_utils.compat import uuid7

from gaiweb.tracing import Ratio, RequestIds
from providers.tracing import wanted_trace_id

MANY = [uuid7() for _ in range(4000)]


@pytest.mark.parametrize("ratio", [0.0, 0.05, 0.5, 1.0])
def test_the_share_holds_for_ids_that_are_uuids(ratio: float) -> None:
    sampler = Ratio(ratio)
    sampled = [
        sampler.should_sample(None, id.int, "x").decision is Decision.RECORD_AND_SAMPLE
        for id in MANY
    ]
    assert sum(sampled) / len(MANY) == pytest.approx(ratio, abs=0.03)


def test_a_trace_has_the_id_of_its_request() -> None:
    id = UUID(int=7)
    token = wanted_trace_id.set(id.int)
    assert RequestIds().generate_trace_id() == 7
    wanted_trace_id.reset(token)
    assert RequestIds().generate_trace_id() not in {0, 7}
