"""A running web process and a worker follow the settings file within two seconds."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.db import connection

from providers.models import OrganisationRole, User
from tests.journeys.gateway.world import ROOT, Server, World, database_url, eventually
from tests.upstream import FakeUpstream

WITHIN_S = 2.0
HI: Any = [{"role": "user", "content": "hi"}]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("etc") / "gaiweb.yaml"


@pytest.fixture(scope="module")
def server(
    committed: Any, file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    file.write_text("GAIWEB_KEY_RPM: 1000\n")
    log = tmp_path_factory.mktemp("server") / "log"
    with Server.running(log, CONFIG_PATH=str(file)) as running:
        yield running


@pytest.fixture
def world(server: Server, upstream: FakeUpstream, committed: Any) -> Iterator[World]:
    made = World.made(server, upstream, committed)
    connection.close()
    yield made
    made.close()


def replace(file: Path, text: str) -> None:
    new = file.with_suffix(".new")
    new.write_text(text)
    new.replace(file)


@pytest.fixture
def page(world: World) -> Callable[[], str]:
    """Ask for the page of the configuration as an owner."""
    owner = User.objects.create_user(f"owner{world.user.pk}@example.org")
    owner.role = OrganisationRole.OWNER
    owner.save()
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(owner.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = owner.get_session_auth_hash()
    session.save()
    connection.close()
    cookies = {settings.SESSION_COOKIE_NAME: str(session.session_key)}
    url = world.server.url + "/settings/configuration/"
    return lambda: httpx.get(url, cookies=cookies, trust_env=False).raise_for_status().text


def status(world: World, route: str) -> int:
    return world.post({"model": route, "messages": HI}).status_code


def test_a_limit_of_callers_follows_and_a_broken_file_changes_nothing(
    world: World, file: Path, page: Callable[[], str]
) -> None:
    route = world.route("ok")
    assert status(world, route) == 200
    replace(file, "GAIWEB_KEY_RPM: 1\n")
    eventually(lambda: status(world, route) == 429, WITHIN_S)
    replace(file, "GAIWEB_KEY_RPM: 1000\nPORT: 1\nGAIWEB_KEY_PARALLEL: many: more\n")
    eventually(lambda: "line 3" in page(), WITHIN_S)
    assert status(world, route) == 429
    replace(file, "GAIWEB_KEY_RPM: 1000\nPORT: 1\n")
    eventually(lambda: status(world, route) == 200, WITHIN_S)
    eventually(lambda: "takes effect after a restart" in page(), WITHIN_S)
    assert "line 3" not in page()


def test_the_threshold_of_breakers_follows(world: World, file: Path) -> None:
    replace(file, "GAIWEB_BREAKER_THRESHOLD: 1\nGAIWEB_RETRY_BUDGET_LEAST: 0\n")
    eventually(lambda: "GAIWEB_RETRY_BUDGET_LEAST" in world.server.log.read_text(), WITHIN_S)
    route = world.route("down-503")

    def rests() -> bool:
        answer = world.post({"model": route, "messages": HI})
        return answer.status_code == 503 and "rests" in answer.text

    eventually(rests, WITHIN_S)
    assert len(world.upstream.calls) < 5


def test_a_provider_of_the_file_comes_on_the_route_default(world: World, file: Path) -> None:
    assert "default" not in world.models()
    url = world.upstream.openai_url
    replace(file, f"openai: {{api_key: sk-of-the-file, model: ok, base_url: '{url}'}}\n")
    eventually(lambda: "default" in world.models(), WITHIN_S)


def doctor(file: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": database_url(),
        "CONFIG_PATH": str(file),
        "GAIWEB_TEST_KEEPS": "CONFIG_PATH",
    }
    command = [sys.executable, "manage.py", "doctor"]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def test_the_doctor_tells_of_a_broken_file_and_asks_the_processes_all_the_same(
    world: World, file: Path
) -> None:
    replace(file, "GAIWEB_BREAKER_THRESHOLD: 4\nPORT: 1: 2\n")
    eventually(lambda: "at line 2" in world.server.log.read_text(), WITHIN_S)

    def told() -> bool:
        found = doctor(file)
        assert found.returncode != 0
        assert "at line 2" in found.stderr
        return "at version" in found.stdout and "at line 2" in found.stdout

    eventually(told, 20)


@contextmanager
def worker(file: Path, log: Path) -> Iterator[int]:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": database_url(),
        "CONFIG_PATH": str(file),
        "CELERY_BROKER_URL": "memory://",
        "GAIWEB_TEST_KEEPS": "CONFIG_PATH,CELERY_BROKER_URL",
    }
    command = [sys.executable, "-m", "gaiweb.embedded.worker"]
    with log.open("wb") as sink:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=sink, stderr=sink)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(15)


def test_a_worker_follows_too_and_says_which_version_it_runs(
    world: World, file: Path, tmp_path: Path
) -> None:
    def versions() -> list[str]:
        rows = world.books.execute(
            "SELECT version FROM providers_runningprocess WHERE pid = ANY(%s)", [[web, other]]
        )
        return [version for (version,) in rows.fetchall()]

    web = world.server.process.pid
    replace(file, "GAIWEB_BREAKER_THRESHOLD: 8\n")
    with worker(file, tmp_path / "log") as other:
        eventually(lambda: len(versions()) == 2 and len(set(versions())) == 1, 30)
        before = versions()
        replace(file, "GAIWEB_BREAKER_THRESHOLD: 9\n")
        eventually(lambda: len(set(versions())) == 1 and versions() != before, WITHIN_S)
    eventually(lambda: len(versions()) == 1)
