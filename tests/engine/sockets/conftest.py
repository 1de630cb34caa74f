"""A real server, a real loop, real connections; bounded waits in milliseconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import pytest

from providers.engine.adapters.openai_chat import OpenAIChatAdapter
from providers.engine.pipeline import Engine
from providers.engine.upstream import Upstream
from tests.fakes import MemoryLedger, NoSecrets, Recorder
from tests.upstream import FakeUpstream


@pytest.fixture(scope="session")
def server() -> Iterator[FakeUpstream]:
    with FakeUpstream.serve() as fake:
        yield fake


@pytest.fixture
def fake(server: FakeUpstream) -> FakeUpstream:
    # What an earlier test has left may still be closing.
    server.wait_until(open_now=0)
    server.reset()
    return server


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    upstream = Upstream(environ={})
    yield upstream
    await upstream.aclose()


@pytest.fixture
def real_engine(upstream: Upstream, ledger: MemoryLedger, recorder: Recorder) -> Engine:
    return Engine(
        adapters={"openai_chat": OpenAIChatAdapter(upstream)},
        ledger=ledger,
        secrets=NoSecrets(),
        observer=recorder,
        now=time.monotonic,
        sleep=asyncio.sleep,
        random=lambda: 0.0,
        utcnow=lambda: datetime.now(UTC),
    )
