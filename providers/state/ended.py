"""Ends a task of ours for sure."""

from __future__ import annotations

import asyncio


async def ended(task: asyncio.Task[None]) -> None:
    """Cancel it until it ends: a client in the middle of connecting may swallow that once."""
    while not task.done():
        task.cancel()
        await asyncio.wait((task,), timeout=0.5)
