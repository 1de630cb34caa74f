"""The door: probes and `/v1` as plain ASGI applications, all else Django."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gaiweb.settings")

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Service(Protocol):
    """Something that lives as long as the server: started before the first request."""

    async def start(self) -> None: ...

    async def stop(self) -> None:
        """Drain and close; runs after the last response ended or was cut."""
        ...


class Door:
    """`mounts` are tried in order by the beginning of the path; `services` stop in reverse."""

    def __init__(
        self,
        pages: Application,
        mounts: tuple[tuple[str, Application], ...],
        services: tuple[Service, ...],
    ) -> None:
        self.pages = pages
        self.mounts = mounts
        self.services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        for beginning, application in self.mounts:
            if scope["path"].startswith(beginning):
                await application(scope, receive, send)
                return
        await self.pages(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        """Django's handler raises on `lifespan`; without it tasks die without their `finally`."""
        await receive()
        for service in self.services:
            await service.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for service in reversed(self.services):
            await service.stop()
        await send({"type": "lifespan.shutdown.complete"})


# Sets Django up; what follows may import models.
_pages = get_asgi_application()

from conversations.runs import registry  # noqa: E402 - see above
from gaiweb import probes  # noqa: E402 - see above
from gaiweb.follower import Follower  # noqa: E402 - see above
from gaiweb.tracing import traces  # noqa: E402 - see above
from providers import gateway  # noqa: E402 - see above
from providers.wire.app import application as v1  # noqa: E402 - see above

_probes = probes.Probes(probes.Readiness())

application = Door(
    pages=_pages,
    mounts=(
        ("/livez", _probes),
        ("/readyz", _probes),
        ("/v1/", v1),
    ),
    services=(traces, gateway, registry, Follower("web", leads=True)),
)
