"""Time that nobody waits for: each engine test runs on a loop whose clock jumps to the next timer.

Tests under `sockets/` talk to a real server on a real loop instead.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from providers.engine.pipeline import Engine
from tests.fakes import MemoryLedger, NoSecrets, Recorder, Script

_STUCK_AFTER_S = 5.0


class _Jumping(selectors.DefaultSelector):
    """Answers a wait for a timer at once, and moves the loop's clock by it."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            ready = super().select(_STUCK_AFTER_S)
            if not ready:
                raise RuntimeError("Every task waits, and nothing can wake them.")
            return ready
        ready = super().select(0)
        if not ready and timeout > 0:
            self.passed += timeout
        return ready


class ClockLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return 1000.0 + self._jumping.passed


def pytest_asyncio_loop_factories(config: Any, item: pytest.Item) -> Mapping[str, Any]:
    if "sockets" in item.path.parts:
        return {"real": asyncio.SelectorEventLoop}
    return {"clock": ClockLoop}


def now() -> float:
    return asyncio.get_running_loop().time()


def utcnow() -> datetime:
    return datetime(2026, 11, 22, tzinfo=UTC) + timedelta(seconds=now())


@pytest.fixture
def ledger() -> MemoryLedger:
    return MemoryLedger()


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def an_engine(script: Script, ledger: MemoryLedger, recorder: Recorder, **more: Any) -> Engine:
    """Compose one whose jitter is always the whole wait, unless `more` says otherwise."""
    settings: dict[str, Any] = {
        "adapters": {"script": script},
        "ledger": ledger,
        "secrets": NoSecrets(),
        "observer": recorder,
        "now": now,
        "sleep": asyncio.sleep,
        "random": lambda: 1.0,
        "utcnow": utcnow,
    }
    return Engine(**{**settings, **more})


@pytest.fixture
def engine(ledger: MemoryLedger, script: Script, recorder: Recorder) -> Engine:
    return an_engine(script, ledger, recorder)
