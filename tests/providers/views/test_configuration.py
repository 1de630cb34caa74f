from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from gaiweb import config
from providers import processes
from providers.processes import Report
from tests.providers.people.conftest import World
from tests.providers.views.conftest import As

URL = "/settings/configuration/"


@pytest.fixture
def file(tmp_path: Path, settings: Any) -> Path:
    file = tmp_path / "gaiweb.yaml"
    file.write_text("GAIWEB_BREAKER_THRESHOLD: 7\nOPENAI_API_KEY: sk-canary\n")
    settings.GAIWEB = config.load({"CONFIG_PATH": str(file), "GAIWEB_DATA_DIR": str(tmp_path)})
    return file


def report(pid: int, version: str, fault: str = "", waiting: tuple[str, ...] = ()) -> None:
    now = timezone.now()
    processes.report(Report("web", "host-1", pid, version, now, fault, waiting), now)


def test_each_value_is_shown_with_its_source_and_secrets_are_masked(
    file: Path, world: World, as_user: As
) -> None:
    page = as_user(world.otto).get(URL)
    given = {value.name: value for value in page.context["page"].given}
    text = page.content.decode()

    assert given["GAIWEB_BREAKER_THRESHOLD"].value == "7"
    assert given["GAIWEB_BREAKER_THRESHOLD"].source == f"file {file}"
    assert given["OPENAI_API_KEY"].value == "set"
    assert "canary" not in text
    assert "PORT" in {value.name for value in page.context["page"].defaults}


def test_it_tells_who_runs_what_and_why_a_broken_file_was_not_taken(
    file: Path, world: World, as_user: As
) -> None:
    version = config.load({"CONFIG_PATH": str(file)}).version_on_disk
    report(1, version)
    report(2, version, waiting=("PORT",))
    report(3, "0ld", fault="CONFIG_PATH names a file that cannot be used: bad (at line 3)")
    text = as_user(world.ada).get(URL).content.decode()

    assert "2 of 3 processes run this version" in text
    assert "at line 3" in text
    assert "takes effect after a restart" in text


def test_it_is_for_operators_and_owners_and_linked_for_them_only(world: World, as_user: As) -> None:
    assert as_user(world.ben).get(URL).status_code == 403
    assert URL not in as_user(world.ben).get("/settings/keys/").content.decode()
    assert URL in as_user(world.otto).get("/settings/routes/").content.decode()
