"""`/livez` and `/readyz`: plain ASGI, because a probe may call by any host name."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import DatabaseError, connection

from gaiweb.embedded import schema

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
_FRESH_S = 1.0


class Readiness:
    """Answers from memory for a second, so that nobody can load the database through it.

    `faults` names what fails and why, in words that hold no address and no secret.
    """

    def __init__(
        self,
        now: Callable[[], float] = time.monotonic,
        pending: Callable[[], list[str]] = schema.pending,
    ) -> None:
        self.now = now
        self.pending = pending
        self.checked_at = float("-inf")
        self.is_migrated = False
        self.faults: dict[str, str] = {}

    async def look(self) -> Mapping[str, str]:
        if self.now() - self.checked_at > _FRESH_S:
            self.faults = await sync_to_async(self.check)()
            self.checked_at = self.now()
        return self.faults

    def check(self) -> dict[str, str]:
        faults: dict[str, str] = {}
        try:
            self._check_database(faults)
        except DatabaseError as error:
            faults["database"] = type(error).__name__
        finally:
            connection.close()
        if not settings.GAIWEB.key_ring.get_secret_value():
            faults["key_ring"] = "empty"
        return faults

    def _check_database(self, faults: dict[str, str]) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        # Once complete it stays so for this process: its code does not change.
        if not self.is_migrated:
            missing = len(self.pending())
            self.is_migrated = not missing
            if missing:
                faults["migrations"] = f"{missing} to apply"


class Probes:
    def __init__(self, readiness: Readiness) -> None:
        self.readiness = readiness

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        if scope["path"] == "/livez":
            await answer(send, 200, {"status": "alive"})
            return
        faults = await self.readiness.look()
        status = "not ready" if faults else "ready"
        await answer(send, 503 if faults else 200, {"status": status, "faults": dict(faults)})


async def answer(send: Send, status: int, body: dict[str, Any]) -> None:
    content = json.dumps(body).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
