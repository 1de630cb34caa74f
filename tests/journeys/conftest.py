"""What journeys share: rows that another process sees, and a provider with faults to order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.journeys.gateway.world import conninfo
from tests.sweep import sweep
from tests.upstream import FakeUpstream


@pytest.fixture(scope="package")
def committed(django_db_setup: None, django_db_blocker: Any) -> Iterator[Any]:
    """Commit rows that another process sees; nothing is left of them."""
    with django_db_blocker.unblock(), psycopg.connect(conninfo(), autocommit=True) as books:
        sweep()
        yield books
        sweep()


@pytest.fixture(scope="package")
def upstream_process() -> Iterator[FakeUpstream]:
    with FakeUpstream.serve() as upstream:
        yield upstream


@pytest.fixture
def upstream(upstream_process: FakeUpstream) -> Iterator[FakeUpstream]:
    upstream_process.reset()
    yield upstream_process
    upstream_process.release()
