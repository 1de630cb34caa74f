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

from tests import databases

ROOT = databases.ROOT
START_LIMIT_S = 60


@contextmanager
def running(data_dir: Path, label: str, **settings: str) -> Iterator[Server]:
    """Run a server on a fresh database; `settings` are those of its environment."""
    with databases.copied(label) as name:
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
            "DATABASE_URL": databases.address(self.database),
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
