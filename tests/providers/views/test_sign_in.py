from __future__ import annotations

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import NoReverseMatch, reverse

from providers.models import User
from providers.people import accounts
from tests.providers.people.conftest import PASSWORD, World
from tests.providers.views.conftest import As


@pytest.fixture(autouse=True)
def nobody_throttled() -> None:
    cache.clear()


def sign_in(client: Client, email: str, password: str, **more: str):
    return client.post("/sign-in/", {"login": email, "password": password, **more})


def test_a_person_signs_in_with_address_in_any_case(world: World):
    answer = sign_in(Client(), "Mia@Example.com", PASSWORD, next="/settings/keys/")

    assert answer.url == "/settings/keys/"


def test_sign_in_leads_nowhere_else(world: World):
    assert sign_in(Client(), "mia@example.com", PASSWORD, next="https://evil.example").url == "/"


def test_a_wrong_password_keeps_the_address_and_says_so(world: World):
    page = sign_in(Client(), "mia@example.com", "wrong").content.decode()

    assert 'value="mia@example.com"' in page
    assert 'role="alert"' in page
    assert "wrong" not in page


def test_an_unknown_address_gets_the_same_words_as_a_wrong_password(world: World):
    known = sign_in(Client(), "mia@example.com", "wrong").content.decode()
    unknown = sign_in(Client(), "eve@example.com", "wrong").content.decode()

    assert "not correct" in known
    assert "not correct" in unknown


def test_guessing_is_throttled(world: World):
    client = Client()
    for _ in range(6):
        sign_in(client, "mia@example.com", "wrong")

    refused = sign_in(client, "mia@example.com", PASSWORD)

    assert refused.status_code != 302
    assert "_auth_user_id" not in client.session


def test_nobody_can_sign_up():
    with pytest.raises(NoReverseMatch):
        reverse("account_signup")


@pytest.mark.django_db
def test_a_fresh_installation_says_where_the_link_is():
    assert Client().get("/").url == "/setup/"
    assert b"set-up link" in Client().get("/setup/").content


def test_an_invitation_sets_a_password_once(world: World):
    ben = User.objects.create_user("new@example.com")
    path = accounts.password_link(ben)
    client = Client()

    refused = client.post(path, {"password": "short"})
    accepted = client.post(path, {"password": "a long enough one"})

    assert refused.status_code == 422
    assert accepted.url == "/"
    assert client.session["_auth_user_id"] == str(ben.pk)
    assert Client().get(path).status_code == 404


def test_a_new_password_ends_the_sessions_of_the_old_one(world: World, as_user: As):
    old = as_user(world.mia)
    Client().post(accounts.password_link(world.mia), {"password": "a long enough one"})

    assert old.get("/settings/keys/").url.startswith("/sign-in/")


def test_a_person_changes_the_password(world: World, as_user: As):
    values = {
        "oldpassword": PASSWORD,
        "password1": "a brand new one",
        "password2": "a brand new one",
    }
    client = as_user(world.mia)
    client.post("/password/", values)

    world.mia.refresh_from_db()
    assert world.mia.check_password("a brand new one")
    assert client.get("/settings/keys/").status_code == 200


def test_signing_out_takes_a_post(world: World, as_user: As):
    client = as_user(world.mia)
    client.get("/sign-out/")
    assert "_auth_user_id" in client.session
    client.post("/sign-out/")
    assert "_auth_user_id" not in client.session


def test_a_person_without_a_team_is_told_so(world: World, as_user: As):
    world.membership(world.mia).delete()

    assert b"You are in no team" in as_user(world.mia).get("/").content


def test_the_active_team_is_chosen_from_ones_own(world: World, as_user: As):
    client = as_user(world.ada)
    client.post("/team/", {"team": world.billing.pk})
    world.ada.refresh_from_db()

    assert world.ada.active_team == world.billing
    assert as_user(world.mia).post("/team/", {"team": world.billing.pk}).status_code == 404
