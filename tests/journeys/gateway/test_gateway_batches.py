"""A batch whose worker is killed while it asks, and another one that goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from conversations.batches import book, desk
from conversations.batches.book import LEASE
from conversations.models import BatchJob
from providers import gateway
from providers.ledger import check, recovery
from tests.journeys.gateway.world import Worker, World, eventually
from tests.redis_server import RedisServer

pytestmark = [pytest.mark.redis]

PROMPTS = ("one", "two", "three", "four", "five")


def test_what_a_killed_worker_asked_is_asked_again_and_what_it_stored_is_not(
    world: World, redis_server: RedisServer, tmp_path: Path
) -> None:
    batch = world.batch(world.route("ok"), *PROMPTS)

    def asked() -> list[str]:
        return [call.body["messages"][-1]["content"] for call in world.upstream.calls]

    # One is answered and stored; then the provider keeps two waiting, and the worker is killed.
    world.upstream.plan("ok", "hold", "hold")
    two_at_once = {"GAIWEB_BATCH_PARALLEL": "2"}
    with Worker.running(tmp_path / "log", redis_server.url, **two_at_once) as worker:
        worker.ring()
        eventually(lambda: len(asked()) == 3, 90)
        eventually(lambda: states(world, batch, "done"))
        held = states(world, batch, "asked")
        stored = states(world, batch, "done")
        worker.kill()
    assert (len(stored), len(held)) == (1, 2)
    world.upstream.release()

    # A minute later their leases have ended.
    world.books.execute(
        "UPDATE conversations_batchitem SET due_at = due_at - %s WHERE state = 'asked'", [LEASE]
    )
    # Another one goes on, this process.
    assert desk.work() is False
    gateway.stop_running()
    assert len(states(world, batch, "done")) == len(PROMPTS)
    twice = sorted(prompt for prompt in PROMPTS if asked().count(prompt) == 2)
    assert twice == sorted(prompt for _, prompt in held)
    assert {asked().count(prompt) for _, prompt in stored} == {1}
    rows = world.books.execute(
        "SELECT prompt, tries, lost, cost_nano FROM conversations_batchitem WHERE batch_id = %s",
        [batch.pk],
    ).fetchall()
    assert {prompt for prompt, tries, lost, _ in rows if (tries, lost) == (2, 1)} == set(twice)

    # What nobody settled is booked by rule, and then the rows tell of both.
    world.books.execute(
        "UPDATE providers_reservation SET expires_at = now() - interval '1 hour'"
        " WHERE settled_at IS NULL AND source = 'batch'"
    )
    assert recovery.expire(timezone.now()) == 2
    assert book.price_lost(timezone.now() - LEASE) == 2
    spent, booked = world.books.execute(
        "SELECT (SELECT sum(cost_nano) FROM conversations_batchitem WHERE batch_id = %s),"
        " (SELECT sum(cost_nano) FROM providers_entry WHERE team_id = %s)",
        [batch.pk, world.team.pk],
    ).fetchone() or (0, 1)
    assert spent == booked
    assert check.run().is_clean
    connection.close()


def states(world: World, batch: BatchJob, state: str) -> list[tuple[Any, ...]]:
    return world.books.execute(
        "SELECT id, prompt FROM conversations_batchitem WHERE batch_id = %s AND state = %s",
        [batch.pk, state],
    ).fetchall()
