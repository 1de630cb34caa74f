"""A run belongs to the server: started, followed, stopped here, whoever watches."""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary

from conversations.runs.book import RunRefused, owned_by
from conversations.runs.desk import Desk
from conversations.runs.log import RunLog

__all__ = ["Desk", "RunRefused", "close", "here", "owned_by"]

_desks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[Desk]] = WeakKeyDictionary()


async def here() -> Desk:
    """Find the desk of the running loop; the first who asks opens it."""
    loop = asyncio.get_running_loop()
    opening = _desks.get(loop)
    if opening is None or (opening.done() and opening.exception()):
        opening = _desks[loop] = loop.create_task(_open())
    return await asyncio.shield(opening)


async def close(limit_s: float) -> None:
    """Let runs end for `limit_s` seconds, then settle them; harmless where none was opened."""
    opening = _desks.pop(asyncio.get_running_loop(), None)
    if opening is not None:
        await (await opening).aclose(limit_s)


async def _open() -> Desk:
    from providers import gateway

    desk = Desk(gateway.open_answer, await RunLog.open())
    await desk.open()
    return desk
