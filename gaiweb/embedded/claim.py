"""One product a data directory, one server a port: refusals in words, before anything starts."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gaiweb.embedded.locks import FileLock


class Refused(Exception):
    """The product cannot be started here now; the message says what to do."""


@contextmanager
def data_dir(path: Path, patience_s: float, say: Callable[[str], Any]) -> Iterator[FileLock]:
    """Hold the data directory; children that inherit the lock hold it too.

    After `kill -9` the children need a moment to stop, so that is waited for.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    owner = path / "up.pid"
    with FileLock(path / "up.lock") as lock:
        if not lock.try_take():
            _refuse_if_alive(owner, path)
            say("Waiting for what the last start left behind to stop.")
            _take(lock, owner, path, time.monotonic() + patience_s)
        owner.write_text(str(os.getpid()))
        yield lock


def _take(lock: FileLock, owner: Path, path: Path, deadline: float) -> None:
    while not lock.try_take():
        _refuse_if_alive(owner, path)
        if time.monotonic() > deadline:
            raise Refused(f"What the last start left behind still uses {path}.")
        threading.Event().wait(0.05)


def _refuse_if_alive(owner: Path, path: Path) -> None:
    try:
        pid = int(owner.read_text())
        os.kill(pid, 0)
    except (OSError, ValueError):
        return
    raise Refused(
        f"GAI Web already runs on {path} (process {pid}). Stop it first, "
        "or set GAIWEB_DATA_DIR and PORT to start a second one."
    )


def check_port(host: str, port: int) -> None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise Refused(
            f"{host} port {port} cannot be used: {error.strerror}. "
            f"Choose another with PORT={port + 1} make run, or stop what listens there."
        ) from error
