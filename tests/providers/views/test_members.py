from __future__ import annotations

from tests.providers.people.conftest import World
from tests.providers.views.conftest import As


def test_an_invitation_link_is_shown_once(world: World, as_user: As):
    client = as_user(world.ben)
    page = client.post("/settings/members/add/", {"email": "new@example.com", "role": "member"})

    assert b"/invitation/" in page.content
    assert b"/invitation/" not in client.get("/settings/members/").content


def test_somebody_with_a_password_gets_no_link(world: World, as_user: As):
    values = {"email": "cleo@example.com", "role": "viewer"}
    page = as_user(world.ben).post("/settings/members/add/", values, follow=True)

    assert b"/invitation/" not in page.content
    assert b"with the password they have" in page.content


def test_a_faulty_address_keeps_what_was_typed(world: World, as_user: As):
    values = {"email": "no-address", "role": "viewer"}
    page = as_user(world.ben).post("/settings/members/add/", values)

    assert page.status_code == 422
    assert b'value="no-address"' in page.content
    assert b'<option value="viewer" selected>' in page.content


def test_a_team_admin_is_not_offered_what_only_owners_give(world: World, as_user: As):
    assert b'value="operator"' not in as_user(world.ben).get("/settings/members/").content
    assert b'value="operator"' in as_user(world.ada).get("/settings/members/").content


def test_a_team_admin_sees_only_the_active_team(world: World, as_user: As):
    assert b"cleo@example.com" not in as_user(world.ben).get("/settings/members/").content


def test_a_refusal_is_said_on_the_list(world: World, as_user: As):
    membership = world.membership(world.ada)
    page = as_user(world.ada).post(
        f"/settings/members/{membership.pk}/role/", {"role": "member"}, follow=True
    )

    assert b"one owner at least" in page.content


def test_an_owner_makes_and_renames_teams(world: World, as_user: As):
    client = as_user(world.ada)
    made = client.post("/settings/members/team/new/", {"team": "Legal"}, follow=True)
    again = client.post("/settings/members/team/new/", {"team": "legal"})
    client.post("/settings/members/team/", {"team": "Law"})

    assert b"Members of Legal" in made.content
    assert again.status_code == 422
    assert b"Members of Law" in client.get("/settings/members/").content
