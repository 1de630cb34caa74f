"""`/livez` and `/readyz` through the door, and the door's lifespan."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from gaiweb.asgi import Door
from gaiweb.probes import Probes, Readiness


async def ask(application: Any, path: str) -> tuple[int, dict[str, Any]]:
    sent: list[Mapping[str, Any]] = []

    async def send(message: Mapping[str, Any]) -> None:
        sent.append(message)

    async def receive() -> Mapping[str, Any]:
        return {"type": "http.request"}

    await application({"type": "http", "path": path}, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


async def test_alive_needs_no_database() -> None:
    assert await ask(Probes(Readiness()), "/livez") == (200, {"status": "alive"})


@pytest.mark.django_db(transaction=True)
async def test_ready_when_database_migrations_and_key_ring_are() -> None:
    assert await ask(Probes(Readiness()), "/readyz") == (200, {"status": "ready", "faults": {}})


@pytest.mark.django_db(transaction=True)
def test_missing_migrations_are_counted() -> None:
    readiness = Readiness(pending=lambda: ["providers.0099_more"])
    assert readiness.check() == {"migrations": "1 to apply"}


class Counted(Readiness):
    def __init__(self, now: Any) -> None:
        super().__init__(now)
        self.checks = 0

    def check(self) -> dict[str, str]:
        self.checks += 1
        return {"database": "OperationalError"}


async def test_many_probes_ask_the_database_once_a_second() -> None:
    clock = [0.0]
    readiness = Counted(lambda: clock[0])
    for _ in range(5):
        assert (await ask(Probes(readiness), "/readyz"))[0] == 503
    assert readiness.checks == 1
    clock[0] = 1.5
    await readiness.look()
    assert readiness.checks == 2


class Noted:
    def __init__(self, name: str, log: list[str]) -> None:
        self.name, self.log = name, log

    async def start(self) -> None:
        self.log.append(f"{self.name} starts")

    async def stop(self) -> None:
        self.log.append(f"{self.name} stops")


async def nowhere(*_: Any) -> None:
    raise AssertionError("Django's handler raises on lifespan and must not see it")


async def test_services_start_in_order_and_stop_in_reverse() -> None:
    log: list[str] = []
    door = Door(nowhere, mounts=(), services=(Noted("first", log), Noted("second", log)))
    asked = iter(({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}))

    async def receive() -> Mapping[str, Any]:
        return next(asked)

    async def send(message: Mapping[str, Any]) -> None:
        log.append(message["type"])

    await door({"type": "lifespan"}, receive, send)
    assert log == [
        "first starts",
        "second starts",
        "lifespan.startup.complete",
        "second stops",
        "first stops",
        "lifespan.shutdown.complete",
    ]


async def test_a_path_goes_to_the_first_mount_that_it_begins_with() -> None:
    door = Door(nowhere, mounts=(("/livez", Probes(Readiness())),), services=())
    assert (await ask(door, "/livez"))[0] == 200
    with pytest.raises(AssertionError):
        await ask(door, "/elsewhere")
