"""Asks the web process whether it is ready, and whether an owner is still to be made."""

from __future__ import annotations

import asyncio

_POLL_S = 0.05


async def wait(host: str, port: int) -> None:
    """Return when `/readyz` answers 200; whoever calls decides how long that may take."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - not bound here
    while not await _is_ready(host, port):  # noqa: ASYNC110 - it is another process
        await asyncio.sleep(_POLL_S)


async def _is_ready(host: str, port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    try:
        writer.write(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return (await reader.readline()).split(b" ")[1:2] == [b"200"]
    except OSError:
        return False
    finally:
        writer.close()
