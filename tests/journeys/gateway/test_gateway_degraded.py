"""An outage as callers of `/v1` see it: reduced, told, refused with a wait, and back to full."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from providers import catalog
from providers.health import watch
from providers.models import LevelOverride, TeamPolicy
from tests.journeys.gateway.world import PRICE, Server, World, eventually
from tests.upstream import FakeUpstream

HI = [{"role": "user", "content": "hi"}]
IN_SECONDS = {
    "GAIWEB_DEGRADATION_AUTOMATIC": "true",
    "GAIWEB_HEALTH_EVERY_S": "0.2",
    # What other journeys have let fail is older.
    "GAIWEB_HEALTH_WINDOW_S": "5",
    "GAIWEB_DEGRADATION_DWELL_S": "0.2",
    "GAIWEB_BREAKER_THRESHOLD": "2",
    "GAIWEB_BREAKER_RESET_S": "600",
    "GAIWEB_BACKOFF_BASE_S": "0.01",
}


@pytest.fixture
def world(tmp_path: Path, upstream: FakeUpstream, committed: Any) -> Any:
    committed.execute("DELETE FROM providers_healthstate")
    (began,) = committed.execute("SELECT clock_timestamp()").fetchone()
    with Server.running(tmp_path / "log", **IN_SECONDS) as own:
        eventually(lambda: _judges_since(committed, began), 20)
        # Only what the test adds is there to answer, not the demo of every new installation.
        committed.execute("DELETE FROM providers_routetarget")
        made = World.made(own, upstream, committed)
        connection.close()
        yield made
        made.close()
    # The server of the other journeys goes by these rows, too.
    for table in ("healthstate", "leveloverride"):
        committed.execute(f"DELETE FROM providers_{table}")


def _judges_since(books: psycopg.Connection[Any], began: datetime) -> bool:
    """Tell whether a process that is younger than `began` judges; an older one is put off.

    Servers of other journeys go by the same database, and judge more slowly.
    """
    holder = books.execute(
        "SELECT pid, backend_start >= %s FROM pg_locks JOIN pg_stat_activity USING (pid)"
        " WHERE datname = current_database() AND locktype = 'advisory' AND granted"
        " AND classid::bigint = %s AND objid::bigint = %s",
        [began, watch.LOCK >> 32, watch.LOCK & 0xFFFFFFFF],
    ).fetchone()
    if holder is not None and not holder[1]:
        books.execute("SELECT pg_terminate_backend(%s)", [holder[0]])
    return holder is not None and bool(holder[1])


def level(books: psycopg.Connection[Any]) -> str:
    row = books.execute("SELECT level FROM providers_healthstate").fetchone()
    return row[0] if row else ""


def vectors_of(world: World) -> str:
    """Add a route to the built-in provider, which knows vectors."""
    catalog.add_provider(name="demo-vectors", kind="demo")
    catalog.add_route(name="vectors", targets=["demo-vectors/demo"], prices=PRICE, max_output=100)
    connection.close()
    eventually(lambda: "vectors" in world.models())
    return "vectors"


def test_a_broken_provider_reduces_everybody_and_its_recovery_gives_all_back(world: World) -> None:
    route = world.route("503", "ok", max_output=2000)
    tools = [{"type": "function", "function": {"name": "now", "parameters": {}}}]
    body = {"model": route, "messages": HI, "tools": tools, "max_tokens": 1500}

    def ask() -> Any:
        return world.post(body)

    assert ask().headers["x-gai-fallback"] == "true"
    eventually(lambda: ask().headers.get("x-gai-degradation") == "simplified")
    sent = world.upstream.calls[-1].body
    assert sent["max_tokens"] == 500
    assert "tools" not in sent

    score = world.books.execute("SELECT deductions FROM providers_healthstate").fetchone()
    assert score is not None
    assert "1 of 2 breakers open" in [each["reason"] for each in score[0]]
    changes = world.books.execute("SELECT after, reason FROM providers_breakerchange").fetchall()
    assert changes[0][0] == "open"

    deployment = world.books.execute(
        "SELECT id FROM providers_deployment WHERE model = '503'"
    ).fetchone()
    assert deployment is not None
    world.books.execute(
        "INSERT INTO providers_breakerorder (deployment_id, word, reason, actor, created_at,"
        " expires_at, ended_at) VALUES (%s, 'reset', 'Repaired.', 'ada', now(),"
        " now() + interval '1 hour', now())",
        [deployment[0]],
    )
    world.books.execute("DELETE FROM providers_routetarget WHERE deployment_id = %s", deployment)
    eventually(lambda: "x-gai-degradation" not in ask().headers)


def test_at_essential_a_stream_is_the_whole_answer_in_one_piece(world: World) -> None:
    route = world.route("ok", max_output=2000)
    now = timezone.now()
    LevelOverride.objects.create(
        level="essential",
        team=world.team,
        reason="Drill.",
        actor="ada",
        expires_at=now + timedelta(minutes=15),
    )
    connection.close()
    body = {"model": route, "messages": HI}
    eventually(lambda: world.post(body).headers.get("x-gai-degradation") == "essential", 2.0)
    chunks = list(world.client().chat.completions.create(model=route, messages=HI, stream=True))  # type: ignore[arg-type, call-overload]
    words = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert [each for each in words if each] == [world.upstream.text]
    asked = world.upstream.calls[-1]
    assert not asked.stream
    assert asked.body["max_tokens"] == 200

    for accept in ("application/json", "text/event-stream", "application/x-ndjson"):
        told = world.post(body, "/api/v1/answers", {"accept": accept})
        assert told.headers["x-gai-degradation"] == "essential"
    vectors = world.post({"model": vectors_of(world), "input": "hi"}, "/v1/embeddings")
    assert (vectors.status_code, vectors.headers["x-gai-degradation"]) == (200, "essential")


def test_in_an_emergency_a_team_s_own_words_are_given_or_a_wait_is_named(world: World) -> None:
    route = world.route("503")
    body = {"model": route, "messages": HI}
    eventually(lambda: world.post(body).json()["error"]["code"] == "service_degraded")

    refused = world.post(body)
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "30"
    assert refused.headers["x-gai-degradation"] == "emergency"
    before = len(world.upstream.calls)
    for accept in ("application/json", "text/event-stream"):
        script = world.post(body, "/api/v1/answers", {"accept": accept})
        assert (script.status_code, script.headers["retry-after"]) == (503, "30")
        assert script.headers["x-gai-degradation"] == "emergency"

    TeamPolicy.objects.create(team=world.team, answers=[{"match": "HI", "answer": "Call 555."}])
    connection.close()
    eventually(lambda: world.post(body).status_code == 200)
    answer = world.post(body)
    assert answer.json()["choices"][0]["message"]["content"] == "Call 555."
    assert answer.headers["x-gai-provider"] == "predefined"
    assert answer.headers["x-gai-fallback"] == "false"
    assert len(world.upstream.calls) == before
    script = world.post(body, "/api/v1/answers").json()
    assert (script["text"], script["provider"]) == ("Call 555.", "predefined")
    streamed = world.client().chat.completions.create(model=route, messages=HI, stream=True)  # type: ignore[arg-type, call-overload]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in streamed) == "Call 555."
