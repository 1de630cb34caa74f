"""A ring gets a new key while a thousand credentials are in use, and nobody notices."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import StringIO
from threading import Event
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction
from django.utils import timezone

from providers import credentials, rekey
from providers.credentials import Holder, ring
from providers.credentials.opened import OpenedSecrets, read_sealed
from providers.credentials.ring import KeyRing, RingUnreadable
from providers.engine.call import Caller, Source
from providers.engine.routes import Deployment
from providers.models import AuditEntry, Credential, Provider, Team, Tool, ToolKind, User
from providers.tools import secret as tool_secret
from tests.databases import ROOT, address
from tests.forked import IS_TORTURE

COUNT = 1000
KILLS = 8 if IS_TORTURE else 1
OLD, NEW = KeyRing("old", {"old": b"o" * 32}), KeyRing("new", {"new": b"n" * 32, "old": b"o" * 32})
DEPLOYMENT = Deployment(1, "acme", "openai_chat", "m", "https://acme.example")


@pytest.fixture
def a_ring(monkeypatch: pytest.MonkeyPatch) -> dict[str, KeyRing]:
    here = {"ring": OLD}
    monkeypatch.setattr(ring, "load", lambda: here["ring"])
    return here


@pytest.fixture
def thousand(
    committed_rows: None, django_db_blocker: Any, a_ring: dict[str, KeyRing]
) -> Iterator[list[int]]:
    """Commit a thousand people with a key each: other processes and threads see them."""
    with django_db_blocker.unblock():
        provider = Provider.objects.create(name="acme", kind="openai_chat")
        people = User.objects.bulk_create(
            User(email=f"p{number}@example.org") for number in range(COUNT)
        )
        with transaction.atomic():
            for person in people:
                credentials.add(provider, f"secret of {person.pk}", Holder(user=person))
        yield [person.pk for person in people]
        provider.delete()
        User.objects.filter(pk__in=[person.pk for person in people]).delete()
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE providers_auditentry")


def opener(keys: dict[str, KeyRing]) -> OpenedSecrets:
    return OpenedSecrets(
        ring=lambda: keys["ring"],
        environment={},
        now=lambda: 0.0,
        utcnow=timezone.now,
        random=lambda: 0.0,
        noted=lambda _id, _is_taken: None,
    )


async def opens(secrets: OpenedSecrets, user_id: int) -> bool:
    picked = secrets.pick(DEPLOYMENT, Caller(Source.GATEWAY, user_id=user_id))
    return await secrets.open(DEPLOYMENT, picked) == f"secret of {user_id}"


@contextmanager
def traffic(people: list[int], keys: dict[str, KeyRing]) -> Iterator[list[int]]:
    """Open everybody's secret again and again in two threads; fails where one does not open.

    How many each thread has opened is there once the block has been left.
    """
    stop, began = Event(), Event()
    opened: list[int] = []

    def asking() -> int:
        count = 0
        try:
            while not stop.is_set() or not count:
                secrets = opener(keys)
                secrets.publish(read_sealed())
                for user_id in people:
                    assert async_to_sync(opens)(secrets, user_id)
                    count += 1
                    began.set()
        finally:
            connections.close_all()
        return count

    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(asking) for _ in range(2)]
        try:
            assert began.wait(60)
            yield opened
        finally:
            # Else a failure here would be waited for without an end.
            stop.set()
        opened += [each.result(60) for each in running]


def test_no_open_fails_while_a_thousand_credentials_are_wrapped_anew(
    thousand: list[int], a_ring: dict[str, KeyRing]
) -> None:
    with traffic(thousand, a_ring) as opened:
        a_ring["ring"] = NEW
        for progress in rekey.rekey(NEW, batch=50):
            assert not progress.broken
    assert sum(opened) >= 2 * COUNT
    assert rekey.counts()["credentials"] == {"new": COUNT}
    a_ring["ring"] = KeyRing("new", {"new": b"n" * 32})
    secrets = opener(a_ring)
    secrets.publish(read_sealed())
    assert all(async_to_sync(opens)(secrets, user_id) for user_id in thousand)


def test_killed_half_way_under_traffic_it_goes_on_with_what_is_left(
    thousand: list[int], a_ring: dict[str, KeyRing], tmp_path: Any
) -> None:
    name = connection.settings_dict["NAME"]
    text = ",".join(f"{each}:{_base64(key)}" for each, key in NEW.keys.items())
    environ = {**os.environ, "DATABASE_URL": address(name), "GAIWEB_KEY_RING": text}
    environ["GAIWEB_DATA_DIR"] = str(tmp_path)
    environ["DJANGO_SETTINGS_MODULE"] = "gaiweb.settings"
    words = [sys.executable, "manage.py", "rekey", "--batch", "20"]
    # Another process wraps, so the asking ones know both keys, as after their restart.
    a_ring["ring"] = KeyRing("old", NEW.keys)
    with traffic(thousand, a_ring) as opened:
        for _ in range(KILLS):
            before = rekey.counts()["credentials"].get("new", 0)
            with subprocess.Popen(
                words, cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True
            ) as process:
                assert process.stderr is not None
                assert any(f"of {COUNT - before}" in line for line in process.stderr)
                process.send_signal(signal.SIGKILL)
            counts = rekey.counts()["credentials"]
            assert counts["new"] >= before + 20
            assert counts["old"] > 0
        done = subprocess.run(
            [*words, "--json"], cwd=ROOT, env=environ, capture_output=True, text=True, check=True
        )
    assert sum(opened) >= 2 * COUNT
    told = json.loads(done.stdout)
    assert told["wrapped"]["credentials"] == counts["old"]
    assert told["counts"]["credentials"] == {"new": COUNT}
    assert told["unused"] == ["old"]


def _base64(key: bytes) -> str:
    return base64.b64encode(key).decode()


@pytest.mark.django_db
def test_every_kind_of_sealed_thing_is_wrapped_and_what_does_not_open_is_named(
    a_ring: dict[str, KeyRing], team: Team
) -> None:
    provider = Provider.objects.create(name="acme", kind="openai_chat")
    good = credentials.add(provider, "good")
    broken = credentials.add(provider, "broken")
    Credential.objects.filter(pk=broken.pk).update(wrapped_key=b"altered")
    tool = Tool.objects.create(name="t", kind=ToolKind.HTTPS, facts={})
    tool_secret.keep(tool, "token")
    Tool.objects.create(name="plain", kind=ToolKind.MOCK, facts={})
    a_ring["ring"] = NEW

    ended = {progress.kind: progress for progress in rekey.rekey(NEW)}
    assert ended["credentials"].broken == [broken.pk]
    assert {kind: progress.done for kind, progress in ended.items()} == {
        "credentials": 1,
        "tool secrets": 1,
    }
    good.refresh_from_db()
    assert good.ring_key == "new"
    assert AuditEntry.objects.filter(action="ring.rekeyed").count() == 2
    with pytest.raises(SystemExit):
        call_command("rekey", stdout=StringIO(), stderr=StringIO())


def test_every_table_with_a_ring_key_is_a_kind() -> None:
    sealed = {
        model
        for model in apps.get_models()
        if any(field.name == "ring_key" for field in model._meta.get_fields())
    }
    assert sealed == {rows().model for rows in rekey.KINDS.values()}


def test_a_new_key_is_put_first_into_our_own_file_and_counts_at_once(
    tmp_path: Any, settings: Any
) -> None:
    path = tmp_path / "key_ring"
    path.write_text(f"k1:{_base64(b'1' * 32)}")
    settings.GAIWEB = settings.GAIWEB.with_values("generated", key_ring="ours", data_dir=tmp_path)
    name = ring.extend()
    assert list(ring.load().keys) == [name, "k1"]
    assert ring.load().current == name
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_ring_that_was_given_is_not_ours_to_write(settings: Any) -> None:
    settings.GAIWEB = settings.GAIWEB.with_values("environment", key_ring="given")
    with pytest.raises(RingUnreadable, match="GAIWEB_KEY_RING"):
        ring.extend()
    with pytest.raises(CommandError, match="GAIWEB_KEY_RING"):
        call_command("rekey", "--new-key")
