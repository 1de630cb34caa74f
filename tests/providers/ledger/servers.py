"""A Postgres of a test's own, to be stopped, killed and frozen without harm to anybody."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.db import connection
from psycopg.conninfo import make_conninfo

from gaiweb.embedded import places, postgres


@dataclass(frozen=True)
class OwnServer:
    """The embedded server on a data directory of its own; its keeper starts it again by itself."""

    data_dir: Path

    @property
    def host(self) -> str:
        return str(places.socket_dir(self.data_dir))

    @property
    def conninfo(self) -> str:
        return make_conninfo(host=self.host, port=places.PORT, user="postgres", dbname="gaiweb")

    @property
    def pid(self) -> int:
        pid_file = places.cluster(self.data_dir) / "postmaster.pid"
        return int(pid_file.read_text().split("\n", 1)[0])

    def restart(self) -> None:
        """As an administrator does: sessions are cut, what is committed is written."""
        os.kill(self.pid, signal.SIGINT)

    def crash(self) -> None:
        """As the kernel does when memory is short."""
        os.kill(self.pid, signal.SIGKILL)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Keep connections and answer nothing, as with a disk that hangs."""
        server = self.pid
        pids = [server, *_children(server)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)


@contextmanager
def own_server(data_dir: Path, like: str) -> Iterator[OwnServer]:
    """Run one with the tables and functions of the database `like`, empty."""
    with postgres.ensure(data_dir):
        server = OwnServer(data_dir)
        binary = postgres._binary
        dumped = subprocess.run(
            [binary("pg_dump"), "--schema-only", "--no-owner", "--dbname", like],
            capture_output=True,
            check=True,
        )
        subprocess.run(
            [binary("psql"), "-q", "-v", "ON_ERROR_STOP=1", "--dbname", server.conninfo],
            input=dumped.stdout,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        yield server


@contextmanager
def django_at(server: OwnServer) -> Iterator[None]:
    """Let Django's own connection lead there for a while."""
    before = dict(connection.settings_dict)
    _leave()
    connection.settings_dict.update(HOST=server.host, PORT=str(places.PORT), NAME="gaiweb")
    connection.settings_dict.update(USER="postgres", PASSWORD="")
    try:
        yield
    finally:
        _leave()
        connection.settings_dict.update(before)


def _leave() -> None:
    connection.close()
    connection.close_pool()


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in listed.split()]
