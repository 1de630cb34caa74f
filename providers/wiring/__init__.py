"""Composition root: one engine, with all it uses, for each event loop of the process."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar
from weakref import WeakKeyDictionary, WeakSet

import psycopg
from django.conf import settings
from django.db import DatabaseError

from providers.engine.errors import LedgerUnavailable
from providers.state.own_loop import OwnLoop
from providers.wiring.assembly import assemble
from providers.wiring.database import closing as closing
from providers.wiring.numbers import numbers as numbers
from providers.wiring.wired import Wired as Wired

T = TypeVar("T")

_FOLLOW_S = 5.0

_wired: WeakKeyDictionary[asyncio.AbstractEventLoop, Wired] = WeakKeyDictionary()
_wiring: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[Wired]] = WeakKeyDictionary()
_watching: WeakSet[asyncio.AbstractEventLoop] = WeakSet()
_own_loop = OwnLoop()


async def here() -> Wired:
    """Answer what the running loop uses, made on first use. Raises LedgerUnavailable."""
    loop = asyncio.get_running_loop()
    wired = _wired.get(loop)
    if wired is not None:
        return wired
    making = _wiring.get(loop)
    if making is None:
        making = _wiring[loop] = loop.create_task(_make(loop), name="wiring")
    return await asyncio.shield(making)


def all_here() -> list[Wired]:
    """List what the loops of this process use; for reading from any thread."""
    return list(_wired.values())


async def watch_here() -> None:
    """Judge health from this loop whenever no other process does. Raises LedgerUnavailable."""
    _watching.add(asyncio.get_running_loop())
    (await here()).watch.start()


def reconfigure() -> None:
    """Let every engine of this process follow the configuration; from a thread without a loop.

    Raises DatabaseError, TimeoutError: then they follow in part, and it is to be called again.
    """
    for loop, wired in list(_wired.items()):
        if not loop.is_closed():
            asyncio.run_coroutine_threadsafe(wired.reconfigure(), loop).result(_FOLLOW_S)


async def close() -> None:
    """Drain and close what the running loop used; nothing where it used nothing."""
    wired = _wired.pop(asyncio.get_running_loop(), None)
    if wired is not None:
        await wired.stop()


def run(work: Coroutine[Any, Any, T], timeout_s: float | None = None) -> T:
    """Run `work` in the loop of a process that has none of its own, such as a worker."""
    return _own_loop.run(work, timeout_s)


def stop_own_loop() -> None:
    _own_loop.stop(close())


async def _make(loop: asyncio.AbstractEventLoop) -> Wired:
    config = settings.GAIWEB
    wired = await assemble(loop)
    try:
        await wired.start()
        if settings.GAIWEB is not config:
            # It changed meanwhile, and whoever told of it did not know this one yet.
            await wired.reconfigure()
    except (psycopg.Error, DatabaseError, OSError) as fault:
        await wired.abandon()
        raise LedgerUnavailable("The database cannot be reached.", retry_after_s=5) from fault
    finally:
        _wiring.pop(loop, None)
    _wired[loop] = wired
    if loop in _watching:
        wired.watch.start()
    return wired
