from __future__ import annotations

import re

from django.test import Client
from django.utils import timezone

from providers import virtual_keys
from providers.models import Route, VirtualKey
from tests.providers.people.conftest import World
from tests.providers.views.conftest import As


def secret_on(page: bytes) -> str | None:
    found = re.search(r"gai_[A-Za-z0-9]{43}", page.decode())
    return found and found.group()


def make(client: Client, name: str = "laptop", days: str = "0"):
    return client.post("/settings/keys/new/", {"name": name, "days": days})


def test_a_secret_is_shown_once_and_its_page_is_not_kept(world: World, as_user: As):
    client = as_user(world.mia)
    page = make(client)

    assert secret_on(page.content)
    assert "no-store" in page["Cache-Control"]
    assert secret_on(client.get("/settings/keys/").content) is None


def test_the_curl_example_names_a_variable_and_never_the_secret(world: World, as_user: As):
    page = make(as_user(world.mia)).content.decode()

    assert page.count(secret_on(page.encode()) or "?") == 1
    assert "Bearer $GAI_KEY" in page


def test_a_name_that_is_taken_is_refused_with_the_way_out(world: World, as_user: As):
    client = as_user(world.mia)
    make(client)
    again = make(client)

    assert again.status_code == 422
    assert b"Rotate that one" in again.content
    assert b'value="laptop"' in again.content


def test_a_key_may_end_by_itself(world: World, as_user: As):
    make(as_user(world.mia), days="30")

    key = VirtualKey.objects.get()
    assert key.expires_at
    assert (key.expires_at - key.created_at).days in {29, 30}


def test_rotating_replaces_the_secret_and_revokes_the_old_one(world: World, as_user: As):
    client = as_user(world.mia)
    make(client)
    old = VirtualKey.objects.get()
    page = client.post(f"/settings/keys/{old.pk}/rotate/")

    old.refresh_from_db()
    assert old.revoked_at
    assert secret_on(page.content)


def test_a_member_sees_own_keys_and_an_admin_the_teams(world: World, as_user: As):
    virtual_keys.issue(user=world.mia, team=world.search, name="of mia")
    virtual_keys.issue(user=world.otto, team=world.search, name="of otto")
    virtual_keys.issue(user=world.cleo, team=world.billing, name="of cleo")
    mia, ben = (as_user(each).get("/settings/keys/").content for each in (world.mia, world.ben))

    assert [b"of mia" in mia, b"of otto" in mia, b"of cleo" in mia] == [True, False, False]
    assert [b"of mia" in ben, b"of otto" in ben, b"of cleo" in ben] == [True, True, False]


def test_an_admin_revokes_but_does_not_rotate_what_others_hold(world: World, as_user: As):
    key, _ = virtual_keys.issue(user=world.mia, team=world.search, name="of mia")
    ben = as_user(world.ben)

    assert ben.post(f"/settings/keys/{key.pk}/rotate/").status_code == 404
    assert ben.post(f"/settings/keys/{key.pk}/revoke/").status_code == 302
    key.refresh_from_db()
    assert key.revoked_at


def test_a_key_is_bound_to_routes_and_its_page_says_so_and_when_it_was_used(
    world: World, as_user: As
):
    for name in ("fast", "slow"):
        Route.objects.create(name=name)
    client = as_user(world.mia)
    assert "On every route" in make(client, "any").content.decode()
    form = {"name": "bound", "days": "0", "routes": ["fast"]}
    assert "Only on fast" in client.post("/settings/keys/new/", form).content.decode()
    bound = VirtualKey.objects.get(name="bound")
    client.post(f"/settings/keys/{bound.pk}/rotate/")
    assert VirtualKey.objects.get(name="bound", revoked_at=None).routes == ["fast"]

    refused = client.post("/settings/keys/new/", {**form, "name": "odd", "routes": ["gone"]})
    assert refused.status_code == 422
    VirtualKey.objects.update(last_used_at=timezone.now())
    assert "Never used" not in client.get("/settings/keys/").content.decode()
