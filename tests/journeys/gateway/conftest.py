"""One server for all journeys; each has a world of its own, and all of it is swept after."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection

from tests.journeys.gateway.world import TABLES, Server, World, conninfo
from tests.upstream import FakeUpstream


@pytest.fixture(scope="package")
def committed(committed_database: None, django_db_blocker: Any) -> Iterator[Any]:
    """Commit rows that another process sees; the tables are empty before and after."""
    with django_db_blocker.unblock(), psycopg.connect(conninfo(), autocommit=True) as books:
        clear = ";".join(f"DELETE FROM providers_{table}" for table in TABLES)
        # Rows of it are kept from deletion, one by one.
        clear += ";TRUNCATE providers_auditentry"
        books.execute(clear)
        yield books
        connection.close()
        books.execute(clear)


@pytest.fixture(scope="package")
def upstream_process() -> Iterator[FakeUpstream]:
    with FakeUpstream.serve() as upstream:
        yield upstream


@pytest.fixture
def upstream(upstream_process: FakeUpstream) -> Iterator[FakeUpstream]:
    upstream_process.reset()
    yield upstream_process
    upstream_process.release()


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
