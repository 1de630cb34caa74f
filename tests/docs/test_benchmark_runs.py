"""The benchmark of the engine asks what it says: each answer is whole, and has its pieces."""

from __future__ import annotations

import pytest

from benchmarks.engine import KINDS, Bench
from providers.engine.routes import KINDS as WIRES

PIECES = 5


def test_every_wire_is_measured() -> None:
    assert set(KINDS) == set(WIRES)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "demo"])
async def test_a_streamed_answer_brings_an_event_for_each_piece(kind: str) -> None:
    few, many = Bench.of(kind, PIECES), Bench.of(kind, 2 * PIECES)
    assert await many.ask(1) - await few.ask(1) >= PIECES


@pytest.mark.parametrize("kind", KINDS)
async def test_a_plain_answer_ends_well(kind: str) -> None:
    assert await Bench.of(kind, None).ask(1) >= 4
