"""Keys of providers over their life: shared out, refused, rotated, revoked; and they leak nowhere.

Canaries are planted as keys and then looked for in everything that anybody may read later.
"""

from __future__ import annotations

import base64
import inspect
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from django.db import connection
from django.test import Client
from django.utils import timezone

from providers import credentials
from providers.credentials import rotation
from providers.models import Credential, CredentialUse, OrganisationRole, Provider, User
from tests.collector import Collector
from tests.journeys.gateway.test_gateway_leaks import (
    HELLO,
    collector,
    here,
    seen_by_operators,
    watched,
)
from tests.journeys.gateway.world import World, eventually

__all__ = ["collector", "here", "watched"]

GOOD = "sk-canary-of-the-second-key"
WRONG = "sk-canary-that-is-wrong"
NEWEST = "sk-canary-of-the-newest-key"


def provider_of(world: World, route: str) -> Provider:
    found = Provider.objects.get(deployments__targets__route__name=route)
    connection.close()
    return found


def kept(world: World, route: str, *secrets: str) -> list[Credential]:
    """Keep exactly these keys, the first with all the weight, once the server has heard of it."""
    provider = provider_of(world, route)
    made = [
        credentials.add(provider, secret, weight=0 if place else 1)
        for place, secret in enumerate(secrets)
    ]
    for old in provider.credentials.exclude(pk__in=[each.pk for each in made]):
        credentials.revoke(old)
    connection.close()
    return made


def used(world: World, route: str) -> str:
    """Ask once, and answer the key that the provider saw last."""
    world.post({"model": route, "messages": HELLO})
    headers = {name.lower(): value for name, value in world.upstream.calls[-1].headers.items()}
    return headers["authorization"].removeprefix("Bearer ")


def test_a_refused_key_costs_nobody_an_answer_and_is_said(here: World) -> None:
    route = here.route("ok")
    wrong, _ = kept(here, route, WRONG, GOOD)
    eventually(lambda: used(here, route) == GOOD)
    here.upstream.calls.clear()
    assert here.post({"model": route, "messages": HELLO}).status_code == 200
    assert len(here.upstream.calls) == 1, "the refused key was put aside"

    def is_said() -> bool:
        found = CredentialUse.objects.filter(credential=wrong).first()
        connection.close()
        return found is not None and found.is_refused

    eventually(is_said)


def test_rotated_and_revoked_keys_change_at_once_in_the_running_process(here: World) -> None:
    route = here.route("ok")
    (first,) = kept(here, route, GOOD)
    eventually(lambda: used(here, route) == GOOD)
    new = rotation.rotate(first, NEWEST, overlap=rotation.LONGEST_OVERLAP, now=timezone.now())
    connection.close()
    eventually(lambda: used(here, route) == NEWEST)
    credentials.revoke(new)
    connection.close()
    eventually(lambda: used(here, route) == GOOD)


def shapes(secret: str) -> list[str]:
    """How it would look where somebody had written it down, also as bytes."""
    raw = secret.encode()
    return [secret, raw.hex(), base64.b64encode(raw).decode().rstrip("=")]


def planted(here: World) -> list[str]:
    return [shape for secret in (GOOD, WRONG, here.secret) for shape in shapes(secret)]


@pytest.fixture
def lived(here: World) -> World:
    """Use keys, have one refused and another stand in, and refuse one that nobody stands in for."""
    route = here.route("ok")
    kept(here, route, WRONG, GOOD)
    eventually(lambda: used(here, route) == GOOD)
    alone = here.route("ok")
    kept(here, alone, WRONG)
    eventually(lambda: used(here, alone) == WRONG)
    refusal = here.post({"model": alone, "messages": HELLO})
    assert refusal.status_code == 502
    for shape in planted(here):
        assert shape not in refusal.text + str(refusal.headers)
    return here


def test_no_key_reaches_a_log_line_a_metric_or_a_span(lived: World, collector: Collector) -> None:
    for where, text in seen_by_operators(lived, collector).items():
        for shape in planted(lived):
            assert shape not in text, where


def test_no_key_lies_open_in_any_column_of_any_table(lived: World) -> None:
    tables = lived.books.execute(
        "SELECT table_name FROM information_schema.tables"
        " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
    ).fetchall()
    rows = 0
    for (table,) in tables:
        for (row,) in lived.books.execute(f'SELECT t::text FROM "{table}" t'):
            rows += 1
            for shape in planted(lived):
                assert shape not in row, table
    assert len(tables) > 30
    assert rows > 50, "there was something to look at"


PAGES = (
    "providers/",
    "credentials/",
    "credentials/new/",
    "keys/",
    "audit/",
    "audit/entries.csv",
    "routes/",
    "members/",
)


def test_no_key_is_on_any_page(lived: World) -> None:
    owner = User.objects.create_user("owner@example.org", role=OrganisationRole.OWNER)
    owner.active_team = lived.team
    owner.save()
    browser = Client()
    browser.force_login(owner, backend="django.contrib.auth.backends.ModelBackend")
    key = Credential.objects.latest("pk")
    for path in (*PAGES, f"credentials/{key.pk}/", f"credentials/{key.pk}/rotate/"):
        page = browser.get(f"/settings/{path}")
        assert page.status_code == 200, path
        text = _read(page)
        for shape in planted(lived):
            assert shape not in text, path
    assert f"…{key.hint}" in browser.get("/settings/credentials/").content.decode()
    connection.close()


def _read(page: Any) -> str:
    from asgiref.sync import async_to_sync

    async def whole() -> bytes:
        return b"".join([piece async for piece in page])

    return (async_to_sync(whole)() if page.streaming else page.content).decode()


def test_what_celery_carries_holds_no_key_and_nothing_else(tmp_path: Path) -> None:
    from gaiweb.celery import BEAT, app

    app.loader.import_default_modules()
    sender = Celery(broker="filesystem://localhost//")
    folder = dict.fromkeys(("data_folder_in", "data_folder_out"), str(tmp_path))
    folder["control_folder"] = str(tmp_path / "control")
    sender.conf.broker_transport_options = folder
    ours = [name for name in app.tasks if not name.startswith("celery.")]
    assert set(BEAT) == set(ours), "each is rung by the clock alone"
    for name in ours:
        assert not inspect.signature(app.tasks[name].run).parameters, f"{name} takes something"
        sender.send_task(name)
    messages = [path.read_text() for path in tmp_path.glob("*.msg")]
    assert len(messages) == len(ours)
    for text in messages:
        assert "canary" not in text
        assert base64.b64encode(b'[[], {}, {"').decode()[:8] in text
