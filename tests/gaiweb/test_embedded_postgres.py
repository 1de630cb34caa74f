"""The embedded Postgres, on a cluster of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from gaiweb.embedded import keeper, places, postgres

HOLD = """
import sys, pathlib
from gaiweb.embedded import postgres
with postgres.ensure(pathlib.Path(sys.argv[1])):
    print("up", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cluster for the module: making it is what takes time."""
    return tmp_path_factory.mktemp("data")


def hold(data_dir: Path) -> subprocess.Popen[bytes]:
    """Use the server in a process of its own until its standard input is closed."""
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(data_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"up\n"
    return child


def let_go(child: subprocess.Popen[bytes]) -> None:
    child.communicate(timeout=30)


def ask(data_dir: Path, question: str) -> object:
    with psycopg.connect(
        host=str(places.socket_dir(data_dir)), user="postgres", dbname="gaiweb"
    ) as connection:
        row = connection.execute(question.encode()).fetchone()
        assert row is not None
        return row[0]


def postmaster(data_dir: Path) -> int:
    return int((places.cluster(data_dir) / "postmaster.pid").read_text().split("\n", 1)[0])


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def is_gone(pid: int) -> bool:
    return not keeper.is_postgres(pid)


def test_it_runs_inside_the_block_and_nothing_of_it_afterwards(data_dir: Path) -> None:
    with postgres.ensure(data_dir):
        assert ask(data_dir, "SHOW listen_addresses") == ""
        assert ask(data_dir, "SHOW server_encoding") == "UTF8"
        assert ask(data_dir, "SHOW synchronous_commit") == "on"
        pid = postmaster(data_dir)
    assert is_gone(pid)


def test_what_was_written_is_there_at_the_next_start(data_dir: Path) -> None:
    with (
        postgres.ensure(data_dir),
        psycopg.connect(
            host=str(places.socket_dir(data_dir)), user="postgres", dbname="gaiweb"
        ) as connection,
    ):
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    with postgres.ensure(data_dir):
        assert ask(data_dir, "SELECT number FROM kept") == 7


def test_the_socket_is_private(data_dir: Path) -> None:
    with postgres.ensure(data_dir):
        assert places.socket_dir(data_dir).stat().st_mode & 0o077 == 0


def test_two_commands_share_one_server_and_the_last_one_stops_it(data_dir: Path) -> None:
    first = hold(data_dir)
    pid = postmaster(data_dir)
    second = hold(data_dir)
    let_go(first)
    assert ask(data_dir, "SELECT 1") == 1
    assert postmaster(data_dir) == pid
    let_go(second)
    assert is_gone(pid)


def test_a_killed_command_leaves_no_server(data_dir: Path) -> None:
    child = hold(data_dir)
    pid = postmaster(data_dir)
    child.kill()
    child.communicate()
    assert wait_for(lambda: is_gone(pid))


def test_a_killed_server_is_started_again_for_those_who_use_it(data_dir: Path) -> None:
    child = hold(data_dir)
    pid = postmaster(data_dir)
    os.kill(pid, signal.SIGKILL)
    pid_file = places.cluster(data_dir) / "postmaster.pid"

    def is_back() -> bool:
        lines = pid_file.read_text().splitlines() if pid_file.exists() else []
        return len(lines) >= 8 and lines[7].startswith("ready") and int(lines[0]) != pid

    assert wait_for(is_back)
    assert ask(data_dir, "SELECT 1") == 1
    let_go(child)


def test_a_stale_pid_file_is_no_obstacle(data_dir: Path) -> None:
    pid_file = places.cluster(data_dir) / "postmaster.pid"
    # Our own number: alive, and surely no Postgres.
    pid_file.write_text(f"{os.getpid()}\n{pid_file.parent}\n")
    with postgres.ensure(data_dir):
        assert ask(data_dir, "SELECT 1") == 1


def test_a_socket_path_that_is_too_long_moves_to_the_temporary_directory(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 90)
    assert len(str(places.socket_dir(deep))) < 87
    assert places.socket_dir(tmp_path) == tmp_path / "run" or len(str(tmp_path)) > 80


def test_a_socket_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(mode=0o755)
    with pytest.raises(postgres.PostgresFailed, match="open to others"), postgres.ensure(tmp_path):
        pass


def test_variables_for_other_servers_do_not_reach_it() -> None:
    assert keeper.scrubbed({"PGHOST": "x", "PATH": "y"}) == {"PATH": "y"}
