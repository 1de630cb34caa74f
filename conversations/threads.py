"""Decisions of the database from the loop: a thread for their length, and nothing kept after."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.db import connections

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(decide: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a sync function with a connection that is given back at its end."""

    def decide_and_give_back() -> T:
        try:
            return decide(*args, **kwargs)
        finally:
            connections.close_all()

    return await sync_to_async(decide_and_give_back, thread_sensitive=False)()
