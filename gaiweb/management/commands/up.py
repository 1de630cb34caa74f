"""`manage.py up`: everything the product needs, from one command."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connection
from prometheus_client.multiprocess import mark_process_dead

from gaiweb import static
from gaiweb.embedded import postgres, readiness, schema
from gaiweb.embedded.locks import FileLock
from gaiweb.embedded.supervisor import Program, Supervisor
from providers.people import accounts


class Command(BaseCommand):
    help = "Start Postgres (unless DATABASE_URL is set), migrations, the web, and the worker."
    # Checks that need the database would run before it has been started.
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own declaration

    def handle(self, *_: Any, **__: Any) -> None:
        config = settings.GAIWEB
        config.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with ExitStack() as stack:
            lock = stack.enter_context(self._only_one(config.data_dir))
            _refuse_a_taken_port(config.host, config.port)
            held = [lock.fileno()]
            log = None
            if config.has_embedded_postgres:
                log, writer = os.pipe()
                output = stack.enter_context(os.fdopen(writer, "wb"))
                users = stack.enter_context(postgres.ensure(config.data_dir, output))
                held.append(users.fileno())
            self._prepare()
            asyncio.run(self._supervise(held, log))
        self.stdout.write("Stopped.")

    @contextmanager
    def _only_one(self, data_dir: Path) -> Iterator[FileLock]:
        """Hold the data directory; children inherit the hold, so that it ends with the last."""
        with FileLock(data_dir / "up.lock") as lock:
            _wait_for(lock, data_dir, settings.GAIWEB.drain_limit_s, self.stdout.write)
            (data_dir / "up.pid").write_text(str(os.getpid()))
            yield lock

    def _prepare(self) -> None:
        try:
            schema.migrate()
            newer = schema.unknown()
        except OperationalError as error:
            raise CommandError(
                f"The database does not answer: {error} Check DATABASE_URL."
            ) from error
        finally:
            connection.close()
            # The pool's threads must not live on beside the children's.
            connection.close_pool()  # type: ignore[attr-defined]  # Postgres's wrapper has it
        if newer:
            raise CommandError(
                f"The database was made by a newer version: it knows {newer[0]}. Update the code."
            )
        static.collect_if_changed()

    async def _supervise(self, held: list[int], postgres_log: int | None) -> None:
        config = settings.GAIWEB
        supervisor = Supervisor(
            _programs(), drain_limit_s=config.drain_limit_s, keep_open=held, output=sys.stdout
        )
        if postgres_log is not None:
            await _follow(supervisor, postgres_log)

        async def announce() -> None:
            await readiness.wait(config.host, config.port)
            self.stdout.write(f"READY {config.public_url}")
            if path := await sync_to_async(_setup_path)():
                self.stdout.write(f"Set it up, once: {config.public_url}{path}")

        await supervisor.run(announce)


def _setup_path() -> str | None:
    try:
        return accounts.setup_link()
    finally:
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]  # Postgres's wrapper has it


def _programs() -> list[Program]:
    metrics = settings.GAIWEB.data_dir / "metrics"
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir(mode=0o700)
    environ = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(metrics), "PYTHONUNBUFFERED": "1"}

    def forget_gauges(pid: int) -> None:
        mark_process_dead(pid, str(metrics))  # type: ignore[no-untyped-call]  # untyped library

    return [
        Program(name, [sys.executable, "-m", f"gaiweb.embedded.{name}"], environ, forget_gauges)
        for name in ("web", "worker")
    ]


async def _follow(supervisor: Supervisor, log: int) -> asyncio.Task[None]:
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    pipe = os.fdopen(log, "rb")
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, pipe)
    return asyncio.create_task(supervisor.relay("postgres", reader))


def _wait_for(lock: FileLock, data_dir: Path, limit_s: float, say: Callable[[str], Any]) -> None:
    """Take the lock; after `kill -9` its children may need a moment to stop."""
    deadline = time.monotonic() + limit_s + 5
    told = False
    while not lock.try_take():
        pid = _pid(data_dir)
        if pid and _is_alive(pid):
            raise CommandError(
                f"GAI Web already runs on {data_dir} (process {pid}). Stop it first, "
                "or set GAIWEB_DATA_DIR and PORT to start a second one."
            )
        if time.monotonic() > deadline:
            raise CommandError(f"What the last start left behind still uses {data_dir}.")
        if not told:
            say("Waiting for the last start to finish stopping.")
            told = True
        threading.Event().wait(0.1)


def _pid(data_dir: Path) -> int | None:
    try:
        return int((data_dir / "up.pid").read_text())
    except (OSError, ValueError):
        return None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _refuse_a_taken_port(host: str, port: int) -> None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise CommandError(
            f"{host} port {port} cannot be used: {error.strerror}. "
            "Choose another with PORT=8001 make run, or stop what listens there."
        ) from error
