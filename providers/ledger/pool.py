"""The ledger's own connections, apart from Django's."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.types.numeric import Int8Dumper
from psycopg_pool import AsyncConnectionPool

_SETTINGS = {
    # A hold must be on disk before a byte goes upstream, whatever the server's default.
    "synchronous_commit": "on",
    "statement_timeout": "15s",
    "lock_timeout": "10s",
    # Functions keep the plans they made first, and over empty tables those read whole tables.
    "enable_seqscan": "off",
    "jit": "off",
    # Planning anew for each batch costs several times what running it does.
    "plan_cache_mode": "force_generic_plan",
}

Pool = AsyncConnectionPool[psycopg.AsyncConnection[tuple[Any, ...]]]


async def connect(conninfo: str, *, most: int = 4) -> Pool:
    """Open a pool for the running loop; it connects in the background.

    Two connections are enough for two batches in flight, the others serve top-ups.
    """
    pool = Pool(
        conninfo,
        min_size=2,
        max_size=max(most, 2),
        open=False,
        configure=_configure,
        kwargs={
            "autocommit": True,
            "application_name": "gaiweb ledger",
            # A server that went silent must not hold callers until TCP gives up by itself.
            "connect_timeout": 5,
            "tcp_user_timeout": 10_000,
            "options": " ".join(f"-c {name}={value}" for name, value in _SETTINGS.items()),
        },
    )
    await pool.open()
    return pool


async def _configure(connection: psycopg.AsyncConnection[Any]) -> None:
    # One type for every integer: otherwise each size of number prepares a statement of its own.
    connection.adapters.register_dumper(int, Int8Dumper)
