"""The real server in a process of its own, on a database of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from django.conf import settings
from psycopg import sql

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = "gaiweb_browser_template"
START_LIMIT_S = 60


def _address(database: str) -> str:
    """`DATABASE_URL` of a database beside the configured one; a socket's folder is a host too."""
    ours = settings.DATABASES["default"]
    user, password = quote(ours["USER"] or ""), quote(ours["PASSWORD"] or "")
    host = quote(ours["HOST"] or "", safe="")
    port = f":{ours['PORT']}" if ours["PORT"] else ""
    return f"postgres://{user}{':' + password if password else ''}@{host}{port}/{database}"


def _execute(statement: str, name: str, *more: str) -> None:
    ours = settings.DATABASES["default"]
    known = {
        "user": ours["USER"],
        "password": ours["PASSWORD"],
        "host": ours["HOST"],
        "port": ours["PORT"],
    }
    with psycopg.connect(
        dbname="postgres", autocommit=True, **{k: v for k, v in known.items() if v}
    ) as connection:
        names = [sql.Identifier(each) for each in (name, *more)]
        connection.execute(sql.SQL(statement).format(*names))


@contextmanager
def template(data_dir: Path) -> Iterator[str]:
    """Make a migrated database to copy, and the static files collected into `data_dir`."""
    name = f"{TEMPLATE}_{os.getpid()}"
    _execute("CREATE DATABASE {}", name)
    try:
        server = Server(name, data_dir)
        server.manage("migrate", "--verbosity", "0")
        server.python("from gaiweb.static import collect_if_changed; collect_if_changed()")
        yield name
    finally:
        _execute("DROP DATABASE {} WITH (FORCE)", name)


@contextmanager
def copied(template_name: str, label: str) -> Iterator[str]:
    """Answer the name of a fresh copy of the template."""
    name = f"gaiweb_browser_{label}_{os.getpid()}"
    _execute("CREATE DATABASE {} TEMPLATE {}", name, template_name)
    try:
        yield name
    finally:
        _execute("DROP DATABASE {} WITH (FORCE)", name)


@contextmanager
def running(template_name: str, data_dir: Path, label: str, **settings: str) -> Iterator[Server]:
    """Run a server on a fresh copy of the template; `settings` are those of its environment."""
    with copied(template_name, label) as name:
        server = Server(name, data_dir, settings=settings)
        try:
            server.start()
            yield server
        finally:
            server.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """`kill` is `kill -9`; `start` after it is what a supervisor does. The address stays."""

    database: str
    data_dir: Path
    port: int = field(default_factory=free_port)
    settings: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environ(self) -> dict[str, str]:
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "gaiweb.settings",
            "DATABASE_URL": _address(self.database),
            "GAIWEB_DATA_DIR": str(self.data_dir),
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "GAIWEB_DRAIN_LIMIT_S": "2",
            # Made-up failures are what many pages are shown with; only one test degrades.
            "GAIWEB_DEGRADATION_AUTOMATIC": "false",
            **self.settings,
        }

    def start(self) -> None:
        log = (self.data_dir / f"{self.database}.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gaiweb.embedded.web"],
            cwd=ROOT,
            env=self.environ,
            stdout=log,
            stderr=log,
        )
        log.close()
        self.wait_until_it_answers(self.process, Path(log.name))

    def wait_until_it_answers(self, process: subprocess.Popen[bytes], log: Path) -> None:
        until = time.monotonic() + START_LIMIT_S
        while not self._answers():
            if time.monotonic() > until or process.poll() is not None:
                raise RuntimeError(log.read_text()[-3000:])
            time.sleep(0.1)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def manage(self, *words: str, **environ: str) -> str:
        return self._run("manage.py", *words, **environ)

    def python(self, code: str) -> Any:
        """Run `code` in Django; what it prints last is read as JSON."""
        printed = self._run("-c", f"import django; django.setup()\n{code}")
        lines = printed.splitlines()
        return json.loads(lines[-1]) if lines else None

    def _run(self, *words: str, **environ: str) -> str:
        done = subprocess.run(
            [sys.executable, *words],
            cwd=ROOT,
            env={**self.environ, **environ},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{words}: {done.stdout}\n{done.stderr}")
        return done.stdout

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/livez", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False
