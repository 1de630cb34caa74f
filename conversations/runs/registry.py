"""The one desk of each event loop."""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary

import psycopg
import structlog
from django.db import OperationalError

from conversations.runs.desk import Desk
from conversations.runs.log import RunLog
from providers import gateway

logger = structlog.get_logger(__name__)

DRAIN_S = 5.0
"""What is left to runs once the server has waited for its open responses."""

_desks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[Desk]] = WeakKeyDictionary()


async def here() -> Desk:
    """Find the desk of the running loop; the first who asks opens it."""
    loop = asyncio.get_running_loop()
    opening = _desks.get(loop)
    if opening is None or (opening.done() and opening.exception()):
        opening = _desks[loop] = loop.create_task(_open())
    return await asyncio.shield(opening)


async def start() -> None:
    """Open before the first request: the runs of a process that died are ended at once.

    A database that is away is tried again by the first who asks.
    """
    try:
        await here()
    except (psycopg.OperationalError, OperationalError):
        logger.warning("runs_wait_for_the_database")


async def stop() -> None:
    """Let runs end for a while, then settle them; harmless where none was opened."""
    opening = _desks.pop(asyncio.get_running_loop(), None)
    if opening is not None:
        await (await opening).aclose(DRAIN_S)


async def _open() -> Desk:
    log = await RunLog.open()
    desk = Desk(gateway.open_answer, log)
    try:
        await desk.open()
    except BaseException:
        await log.aclose()
        raise
    return desk
