"""Keeps one Postgres running for as long as anybody holds the lock of its users.

Runs as a process of its own and by path, with nothing but the standard library: whoever uses the
database holds a shared lock on one file; when the last one goes, even by `kill -9`, the exclusive
lock is granted here and Postgres is stopped.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

_LONGEST_REST_S = 10.0


def main(arguments: dict[str, str | list[str]]) -> None:
    # A signal for the whole group must not take the database from those who still use it.
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    alive = os.open(str(arguments["alive"]), os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(alive, fcntl.LOCK_EX)
    # Whoever started us is not our parent: it may end first, and need not collect us. The lock
    # was taken before, so that it sees at once that there is a keeper.
    if os.fork():
        os._exit(0)
    Keeper(list(arguments["command"]), str(arguments["users"]), str(arguments["pid_file"])).run()
    # Before the lock of the users, which goes with the process and lets the next one in.
    os.close(alive)


class Keeper:
    def __init__(self, command: list[str], users: str, pid_file: str) -> None:
        self.command = command
        self.users = users
        self.pid_file = Path(pid_file)
        self.unused = threading.Event()
        self.postgres: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        threading.Thread(target=self._wait_until_unused, daemon=True).start()
        rest = 0.1
        while not self.unused.is_set():
            began = time.monotonic()
            remove_stale(self.pid_file)
            # The main thread starts it: a death signal is bound to the thread that forked.
            self.postgres = subprocess.Popen(  # noqa: S603 - our own command
                self.command, start_new_session=True, env=scrubbed(os.environ)
            )
            self._wait()
            if time.monotonic() - began > _LONGEST_REST_S:
                rest = 0.1
            self.unused.wait(rest)
            rest = min(2 * rest, _LONGEST_REST_S)

    def _wait(self) -> None:
        """Return when Postgres has ended; ask it to end, fast and cleanly, once nobody needs it."""
        assert self.postgres is not None  # noqa: S101 - run() set it
        while self.postgres.poll() is None:
            if self.unused.wait(0.2):
                self.postgres.send_signal(signal.SIGINT)
                self.postgres.wait()

    def _wait_until_unused(self) -> None:
        handle = os.open(self.users, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX)
        self.unused.set()


def scrubbed(environ: Mapping[str, str]) -> dict[str, str]:
    """Leave out what would make Postgres or its clients look elsewhere."""
    return {name: value for name, value in environ.items() if not name.startswith("PG")}


def remove_stale(pid_file: Path, patience_s: float = 60.0) -> None:
    """Wait for a Postgres that is still stopping; remove the file when its process is gone.

    After a crash the number may belong to another program, and Postgres would refuse to start.
    """
    deadline = time.monotonic() + patience_s
    while (pid := _postmaster(pid_file)) and time.monotonic() < deadline:
        if not is_postgres(pid):
            pid_file.unlink(missing_ok=True)
            return
        threading.Event().wait(0.1)


def _postmaster(pid_file: Path) -> int | None:
    try:
        return int(pid_file.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def is_postgres(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    try:
        # Empty for a zombie.
        return b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return not Path("/proc/self").exists()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
