"""`manage.py up`: everything the product needs, from one command."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connection
from prometheus_client.multiprocess import mark_process_dead

from gaiweb import static
from gaiweb.config import BASE_DIR
from gaiweb.embedded import claim, postgres, readiness, schema
from gaiweb.embedded.supervisor import Program, Supervisor
from providers.people import accounts

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class Command(BaseCommand):
    help = "Start Postgres (unless DATABASE_URL is set), migrations, the web, and the worker."
    # Checks that need the database would run before it has been started.
    requires_system_checks: list[str] = []  # noqa: RUF012 - as Django declares it

    def handle(self, *_: Any, **__: Any) -> None:
        config = settings.GAIWEB
        patience_s = config.drain_limit_s + 30
        try:
            with ExitStack() as stack:
                lock = claim.data_dir(config.data_dir, patience_s, self.stdout.write)
                held = [stack.enter_context(lock).fileno()]
                claim.check_port(config.host, config.port)
                if config.has_embedded_postgres:
                    users = stack.enter_context(postgres.ensure(config.data_dir))
                    held.append(users.fileno())
                _prepare()
                asyncio.run(self._supervise(held))
        except claim.Refused as refused:
            raise CommandError(str(refused)) from None
        self.stdout.write("Stopped.")

    async def _supervise(self, held: list[int]) -> None:
        config = settings.GAIWEB
        supervisor = Supervisor(
            _programs(), drain_limit_s=config.drain_limit_s, keep_open=held, output=sys.stdout
        )
        if config.has_embedded_postgres:
            supervisor.follow("postgres", config.data_dir / "postgres.log")

        async def announce() -> None:
            await readiness.wait(config.host, config.port)
            supervisor.say(f"READY {config.public_url}", name="")
            if config.host not in _LOOPBACK:
                hosts = ", ".join(config.allowed_hosts)
                supervisor.say(f"Pages answer to {hosts}; ALLOWED_HOSTS names others.")
            if path := await sync_to_async(_setup_path)():
                supervisor.say(f"Set it up, once: {config.public_url}{path}", name="")

        await supervisor.run(announce)


def _prepare() -> None:
    try:
        schema.migrate()
        newer = schema.unknown()
    except OperationalError as error:
        raise CommandError(f"The database does not answer: {error} Check DATABASE_URL.") from error
    finally:
        connection.close()
    if newer:
        raise CommandError(
            f"A newer version made the database: it has {newer[0]}. Update the code."
        )
    static.collect_if_changed()


def _setup_path() -> str | None:
    try:
        return accounts.setup_link()
    finally:
        connection.close()


def _programs() -> list[Program]:
    metrics: Path = settings.GAIWEB.data_dir / "metrics"
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir(mode=0o700)
    # The code is found wherever we were called from; relative paths in settings stay as they are.
    code = os.pathsep.join(filter(None, [str(BASE_DIR), os.environ.get("PYTHONPATH")]))
    ours = {"PROMETHEUS_MULTIPROC_DIR": str(metrics), "PYTHONUNBUFFERED": "1", "PYTHONPATH": code}
    environ = {**os.environ, **ours}

    def forget_gauges(pid: int) -> None:
        mark_process_dead(pid, str(metrics))  # type: ignore[no-untyped-call]  # untyped library

    return [
        Program(name, [sys.executable, "-m", f"gaiweb.embedded.{name}"], environ, forget_gauges)
        for name in ("web", "worker")
    ]
