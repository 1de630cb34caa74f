"""`manage.py up` as people meet it: a process, a port, a data directory."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


class Up:
    """One `manage.py up`; its lines are collected as they come."""

    def __init__(self, data_dir: Path, port: int, **environ: str) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "up"],
            cwd=ROOT,
            env=clean() | {"GAIWEB_DATA_DIR": str(data_dir), "PORT": str(port)} | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            self.lines.extend(line.rstrip("\n") for line in lines)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def wait_for(self, words: str) -> None:
        assert wait_until(lambda: words in self.text or self.has_ended()), self.text
        assert words in self.text, self.text

    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def end(self, number: int = signal.SIGTERM) -> int:
        if not self.has_ended():
            self.process.send_signal(number)
        code = self.process.wait(40)
        self.reader.join(10)
        return code

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        request = urllib.request.Request(f"{self.url}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.read().decode()


def clean() -> dict[str, str]:
    """Leave out what the tests' own settings put into the environment."""
    dropped = {"DATABASE_URL", "ENVIRONMENT", "DJANGO_SETTINGS_MODULE"}
    return {name: value for name, value in os.environ.items() if name not in dropped}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def processes_of(data_dir: Path) -> list[str]:
    """Find command lines and environments that name the directory."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
            if str(data_dir).encode() in words and int(folder.name) != os.getpid():
                found.append(folder.name)
    return found


def child_of(up: Up, module: str) -> int:
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            is_it = f"gaiweb.embedded.{module}".encode() in (folder / "cmdline").read_bytes()
            if is_it and f"PPid:\t{up.process.pid}\n" in (folder / "status").read_text():
                return int(folder.name)
    raise AssertionError(f"no {module}:\n{up.text}")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("up")


@pytest.fixture
def start(data_dir: Path) -> Iterator[Callable[..., Up]]:
    started: list[Up] = []

    def one(port: int | None = None, **environ: str) -> Up:
        started.append(Up(data_dir, port or free_port(), **environ))
        return started[-1]

    yield one
    for up in started:
        up.end()
    assert wait_until(lambda: not processes_of(data_dir), 20), processes_of(data_dir)


def test_it_says_ready_with_a_set_up_link_and_stops_without_a_trace(
    start: Callable[..., Up], data_dir: Path
) -> None:
    up = start()
    up.wait_for(f"READY {up.url}")
    up.wait_for("/setup/")
    link = re.search(rf"{up.url}(/setup/\S+)", up.text)
    assert link
    assert up.get("/readyz") == (200, '{"status": "ready", "faults": {}}')
    assert up.get("/livez")[0] == 200
    status, page = up.get(link[1])
    assert status == 200
    static = re.search(r"/static/[^\"]+\.[0-9a-f]{12}\.css", page)
    assert static, "styles are served under hashed names"
    assert up.get(static[0])[0] == 200
    assert "django_http_requests_total" in up.get("/metrics")[1]
    assert up.get("/metrics", **{"X-Forwarded-For": "203.0.113.9"})[0] == 403
    second = start()
    assert second.end(0) == 1
    assert "already runs" in second.text
    assert up.end(signal.SIGINT) == 0
    assert not processes_of(data_dir)


def test_a_dead_web_is_started_again_and_a_killed_supervisor_leaves_nothing(
    start: Callable[..., Up],
) -> None:
    up = start()
    up.wait_for("READY")
    os.kill(child_of(up, "web"), signal.SIGKILL)
    up.wait_for("starting it again")
    assert wait_until(lambda: is_ready(up))
    up.end(signal.SIGKILL)
    # At once, while what was left behind is still stopping.
    again = start()
    again.wait_for("READY")


def test_a_taken_port_is_said_before_anything_starts(start: Callable[..., Up]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        up = start(taken.getsockname()[1])
        assert up.end(0) == 1
    assert "cannot be used" in up.text


def test_every_fault_of_the_configuration_is_printed(start: Callable[..., Up]) -> None:
    up = start(OPENAI_TIMEOUT="soon", GAIWEB_DRAIN_LIMIT_S="0")
    assert up.end(0) == 2
    assert "OPENAI_TIMEOUT" in up.text
    assert "GAIWEB_DRAIN_LIMIT_S" in up.text
    assert "Traceback" not in up.text


def is_ready(up: Up) -> bool:
    try:
        return up.get("/readyz")[0] == 200
    except OSError:
        return False
