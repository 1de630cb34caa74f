"""One server for all journeys; each has a world of its own, and all of it is swept after."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from tests.journeys.gateway.world import Server, World
from tests.upstream import FakeUpstream


@pytest.fixture(scope="package")
def server(committed: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server.running(tmp_path_factory.mktemp("server") / "log") as running:
        yield running


@pytest.fixture
def world(server: Server, upstream: FakeUpstream, committed: Any) -> Iterator[World]:
    made = World.made(server, upstream, committed)
    connection.close()
    yield made
    made.close()
