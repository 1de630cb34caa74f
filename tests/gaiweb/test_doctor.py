"""`manage.py doctor`."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from providers import processes
from providers.models import Credential, Provider
from tests.redis_server import RedisServer

pytestmark = pytest.mark.django_db


def examined() -> dict[str, Any]:
    out = io.StringIO()
    call_command("doctor", json=True, stdout=out)
    return json.loads(out.getvalue())


def checks(report: dict[str, Any]) -> dict[str, bool | None]:
    return {check["name"]: check["is_well"] for check in report["checks"]}


def test_a_sound_installation_has_no_fault_and_every_value_has_a_source() -> None:
    report = examined()
    assert False not in checks(report).values()
    assert {"database", "migrations", "key ring", "broker", "providers"} <= set(checks(report))
    sources = {entry["name"]: entry["source"] for entry in report["settings"]}
    assert sources["ENVIRONMENT"] == "environment"
    assert sources["SECRET_KEY"] == "generated"


def test_a_fault_decides_the_exit_code() -> None:
    last = MigrationLoader(connection).graph.leaf_nodes("providers")[0]
    MigrationRecorder(connection).record_unapplied(*last)
    with pytest.raises(SystemExit, match="1"):
        examined()


def test_a_credential_that_the_ring_cannot_open_is_a_fault() -> None:
    provider = Provider.objects.create(name="p", kind="demo")
    Credential.objects.create(
        provider=provider, sealed=b"x", wrapped_key=b"y", ring_key="lost", hint="abcd"
    )
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("doctor", stdout=out)
    assert "lacks lost" in out.getvalue()


def test_a_misspelt_name_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAIWEB_METRICTOKEN", "x")
    words = [check["words"] for check in examined()["checks"] if check["is_well"] is None]
    assert any("GAIWEB_METRICTOKEN" in each for each in words)


def test_redis_that_is_away_is_a_fault_and_none_at_all_is_a_note(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert checks(examined())["redis"] is None
    settings.GAIWEB = settings.GAIWEB.model_copy(
        update={"redis_url": "redis://127.0.0.1:1/0", "celery_broker_url": "filesystem://"}
    )
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("doctor", stdout=out)
    assert "each process counts for itself" in out.getvalue()


@pytest.mark.redis
def test_redis_that_answers_is_well(settings: Any, redis_server: RedisServer) -> None:
    settings.GAIWEB = settings.GAIWEB.model_copy(
        update={"redis_url": redis_server.url, "celery_broker_url": "filesystem://"}
    )
    assert checks(examined())["redis"] is True


def test_it_tells_who_runs_the_settings_file_and_what_they_could_not_take(
    settings: Any, tmp_path: Path
) -> None:
    file = tmp_path / "gaiweb.yaml"
    file.write_text("GAIWEB_BREAKER_THRESHOLD: 7\n")
    settings.GAIWEB = settings.GAIWEB.model_copy(update={"config_path": file})
    now, version = timezone.now(), settings.GAIWEB.version_on_disk
    for pid, runs, fault in ((1, version, ""), (2, version, ""), (3, "old", "bad at line 3")):
        processes.report(processes.Report("web", "h", pid, runs, now, fault, ()), now)
    out = io.StringIO()
    with pytest.raises(SystemExit, match="1"):
        call_command("doctor", stdout=out)
    assert f"2 of 3 processes run this version ({version})" in out.getvalue()
    assert "bad at line 3" in out.getvalue()
