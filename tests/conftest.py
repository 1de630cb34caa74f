"""What every test stands on: no network, three people, and a database only where one is asked for.

Ada owns the organisation; Ben is a member of the team `builders`; Cleo is a stranger to it.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings
from django.db import connection
from psycopg import OperationalError

from tests import databases
from tests.engine.adapters.recorded.table import lines as recordings_table
from tests.engine.filters.scores import lines as detectors_table
from tests.redis_server import RedisServer
from tests.scheduling import ByServer, slow_first
from tests.sweep import sweep

if TYPE_CHECKING:
    from providers.models import Team, User


@pytest.fixture(scope="session")
def embedded_postgres() -> Iterator[None]:
    """Run the embedded server while any worker of the suite needs it."""
    if not settings.GAIWEB.has_embedded_postgres:
        yield
        return
    from gaiweb.embedded import postgres

    with postgres.ensure(settings.GAIWEB.data_dir):
        yield


@pytest.fixture(scope="session")
def django_db_setup(
    embedded_postgres: None, django_db_blocker: Any, worker_id: str
) -> Iterator[None]:
    """Replace pytest-django's, which migrates a database for each worker."""
    with django_db_blocker.unblock(), databases.copied(worker_id) as name:
        before = connection.settings_dict["NAME"]
        connection.close()
        settings.DATABASES["default"]["NAME"] = connection.settings_dict["NAME"] = name
        yield
        connection.close()
        settings.DATABASES["default"]["NAME"] = connection.settings_dict["NAME"] = before


@pytest.fixture(scope="module")
def committed_rows(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Let the tests of a module commit, and leave nothing of it to those after them."""
    yield
    with django_db_blocker.unblock():
        sweep()


_PROGRAMS = {"browser": "chromium", "redis": "redis-server"}


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByServer:
    return ByServer(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a program that this machine lacks."""
    slow_first(items)
    for marker, program in _PROGRAMS.items():
        if shutil.which(program) is None:
            lacking = pytest.mark.skip(reason=f"{program} is not installed")
            for item in items:
                if item.get_closest_marker(marker):
                    item.add_marker(lacking)


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell how recordings and detectors went; say loudly what was not tested, and why."""
    ended = [
        report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])
    ]
    tables = {
        "Recorded traffic": recordings_table(ended),
        "Detectors over the labelled set": detectors_table(ended),
        "Money under load": [
            f"  {value}"
            for report in ended
            for name, value in report.user_properties
            if name == "money"
        ],
    }
    for title, rows in tables.items():
        if rows:
            terminalreporter.section(title)
        for row in rows:
            terminalreporter.line(row)
    skipped = terminalreporter.stats.get("skipped", [])
    if not skipped:
        return
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    terminalreporter.section("NOT TESTED ON THIS MACHINE", sep="!", red=True, bold=True)
    for reason, count in reasons.most_common():
        terminalreporter.line(f"  {count:>4} tests: {reason}")
    terminalreporter.line("  `.ci/run` installs what is missing and refuses to skip.")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Where everything was installed, a skipped test is a fault."""
    reporter = session.config.pluginmanager.getplugin("terminalreporter")
    is_controller = not hasattr(session.config, "workerinput")
    if is_controller and not settings.GAIWEB.has_embedded_postgres:
        with suppress(OperationalError):
            databases.forget_templates()
    has_skipped = reporter is not None and reporter.stats.get("skipped")
    if "GAIWEB_CI" in os.environ and has_skipped and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


class RealNetwork(Exception):
    """A test tried to leave this machine."""


@pytest.fixture(autouse=True)
def _no_real_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection that is not to this machine, whoever makes it."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        _refuse_strangers(self.family, address)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


def _refuse_strangers(family: int, address: object) -> None:
    if family not in {socket.AF_INET, socket.AF_INET6} or not isinstance(address, tuple):
        return
    host = str(address[0])
    if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
        raise RealNetwork(f"A test tried to reach {host}.")


@pytest.fixture
def team(db: None) -> Team:
    from providers.models import Team

    return Team.objects.create(name="Builders", slug="builders")


@pytest.fixture
def ada(db: None) -> User:
    from providers.models import User

    return User.objects.create_superuser("ada@example.org", "correct horse battery")


@pytest.fixture
def ben(team: Team) -> User:
    from providers.models import Membership, TeamRole, User

    ben = User.objects.create_user("ben@example.org", "correct horse battery", active_team=team)
    Membership.objects.create(team=team, user=ben, role=TeamRole.MEMBER)
    return ben


@pytest.fixture
def cleo(db: None) -> User:
    from providers.models import Membership, Team, TeamRole, User

    other = Team.objects.create(name="Strangers", slug="strangers")
    cleo = User.objects.create_user("cleo@example.org", "correct horse battery", active_team=other)
    Membership.objects.create(team=other, user=cleo, role=TeamRole.MEMBER)
    return cleo


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    if shutil.which("redis-server") is None:
        pytest.skip("there is no redis-server here")
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.stop()
