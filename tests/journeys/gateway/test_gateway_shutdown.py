"""SIGTERM with open streams: what can finish finishes, the rest is settled."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from django.db import connection

from tests.journeys.gateway.world import Server, World
from tests.upstream import TEXT, FakeUpstream

HI: Any = [{"role": "user", "content": "hi"}]


@pytest.fixture
def world(tmp_path: Path, upstream: FakeUpstream, committed: Any) -> Any:
    with Server.running(tmp_path / "log", drain_s=2) as own:
        made = World.made(own, upstream, committed)
        connection.close()
        yield made
        made.close()


def test_open_streams_are_drained_or_settled(world: World) -> None:
    finishing, stalled = world.route("held"), world.route("stall")
    text: list[str] = []
    ends: list[str] = []
    begun = threading.Semaphore(0)

    def read(route: str) -> None:
        client = world.client(max_retries=0)
        try:
            stream = client.chat.completions.create(model=route, messages=HI, stream=True)
            chunks = [next(stream), next(stream)]
            begun.release()
            chunks += stream
        except (openai.APIError, httpx.HTTPError) as failure:
            ends.append(type(failure).__name__)
        else:
            ends.append("clean")
            text.extend(chunk.choices[0].delta.content or "" for chunk in chunks)

    # The stalled one first: `held` keeps back whatever comes after it.
    readers = [threading.Thread(target=read, args=(each,)) for each in (stalled, finishing)]
    for reader in readers:
        reader.start()
        assert begun.acquire(timeout=20)
    stopping = threading.Thread(target=world.server.stop)
    stopping.start()
    world.upstream.release()
    for reader in readers:
        reader.join(15)
    stopping.join(15)
    assert "".join(text) == TEXT
    assert sorted(ends) == ["APIError", "clean"]
    assert world.server.process.returncode is not None
    world.settled()
    statuses = {entry[0]: entry[1] for entry in world.entries(2)}
    assert statuses == {"held": "ok", "stall": "cancelled"}
    assert "Traceback" not in world.server.log.read_text()
