from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from providers import catalog, credentials, gateway
from providers.credentials import Checked, Holder
from providers.models import Credential, CredentialUse, Provider
from tests.providers.people.conftest import World
from tests.providers.views.conftest import As

PAGE = "/settings/credentials/"
NEW_KEY = "sk-new-0123456789-b7K2"


@pytest.fixture
def acme(world: World) -> Provider:
    return catalog.add_provider(name="acme", kind="openai_chat", secret="sk-org-0123456789-oooo")


@pytest.fixture
def kept(world: World, acme: Provider) -> dict[str, Credential]:
    holders = {
        "team": Holder(team=world.search),
        "elsewhere": Holder(team=world.billing),
        "mia": Holder(user=world.mia),
        "cleo": Holder(user=world.cleo),
    }
    made = {
        name: credentials.add(acme, f"sk-key-0123456789-{name[:4]}", holder)
        for name, holder in holders.items()
    }
    return {**made, "org": acme.credentials.get(team=None, user=None)}


@pytest.fixture(autouse=True)
def only_the_new_key_works(monkeypatch: pytest.MonkeyPatch) -> None:
    async def check_key(provider: Provider, secret: str | None) -> Checked:
        is_good = secret == NEW_KEY
        words = "It works." if is_good else "The provider refused the key."
        return Checked(ok=is_good, message=words, latency_ms=1)

    monkeypatch.setattr(gateway, "check_key", check_key)


@pytest.mark.parametrize(
    ("who", "sees"),
    [
        ("ada", {"org", "team", "elsewhere", "mia", "cleo"}),
        ("otto", {"org"}),
        ("ben", {"team"}),
        ("mia", {"mia"}),
    ],
)
def test_only_a_keys_owner_and_owners_see_it(
    world: World, as_user: As, kept: dict[str, Credential], who: str, sees: set[str]
):
    client = as_user(getattr(world, who))
    page = client.get(PAGE).content.decode()
    assert {name for name, key in kept.items() if f"…{key.hint}" in page} == sees
    for name, key in kept.items():
        for action in ("", "rotate/"):
            status = client.get(f"{PAGE}{key.pk}/{action}").status_code
            assert (status == 200) == (name in sees), f"{name}: {status}"
        if name not in sees:
            assert client.post(f"{PAGE}{key.pk}/revoke/").status_code == 404


def test_a_member_adds_a_key_of_their_own_after_it_was_tried(
    world: World, as_user: As, acme: Provider
):
    form = {"provider": acme.pk, "holder": "user", "key": "sk-wrong", "label": "", "weight": "1"}
    refused = as_user(world.mia).post(f"{PAGE}new/", form)
    assert refused.status_code == 422
    assert "The provider refused the key." in refused.content.decode()
    assert "sk-wrong" not in refused.content.decode()
    assert not Credential.objects.filter(user=world.mia).exists()

    as_user(world.mia).post(f"{PAGE}new/", {**form, "key": NEW_KEY})
    assert Credential.objects.get(user=world.mia).hint == "b7K2"


@pytest.mark.parametrize("holder", ["team", "organisation"])
def test_a_member_adds_none_for_others(world: World, as_user: As, acme: Provider, holder: str):
    form = {"provider": acme.pk, "holder": holder, "key": NEW_KEY, "label": "", "weight": "1"}
    assert as_user(world.mia).post(f"{PAGE}new/", form).status_code == 422
    assert Credential.objects.count() == 1


def test_a_teams_admin_rotates_the_teams_key(
    world: World, as_user: As, kept: dict[str, Credential]
):
    url = f"{PAGE}{kept['team'].pk}/rotate/"
    client = as_user(world.ben)
    assert client.post(url, {"key": "sk-wrong", "overlap": "3600"}).status_code == 422
    assert Credential.objects.filter(team=world.search).count() == 1

    page = client.post(url, {"key": NEW_KEY, "overlap": "3600"}, follow=True).content.decode()
    assert "Stands in until" in page
    assert "100" in page
    old, new = Credential.objects.filter(team=world.search).order_by("pk")
    assert (old.weight, new.weight, new.hint) == (0, 1, "b7K2")


def test_shares_are_changed_and_shown(world: World, as_user: As, acme: Provider):
    first = acme.credentials.get()
    credentials.add(acme, "sk-second-0123456789", weight=3)
    client = as_user(world.ada)
    assert "25" in client.get(PAGE).content.decode()
    client.post(f"{PAGE}{first.pk}/", {"label": "main", "weight": "9"})
    page = client.get(PAGE).content.decode()
    assert "main" in page
    assert "75" in page


def test_a_refused_key_and_an_old_one_are_said_on_the_page(
    world: World, as_user: As, acme: Provider
):
    key = acme.credentials.get()
    credentials.add(acme, "sk-second-0123456789", weight=3)
    now = timezone.now()
    CredentialUse.objects.create(credential=key, taken_at=now - timedelta(days=1), refused_at=now)
    Credential.objects.filter(pk=key.pk).update(created_at=now - timedelta(days=100))
    page = as_user(world.ada).get(PAGE).content.decode()
    assert "Refused, aside until" in page
    assert "100 days old" in page
    assert "1 key older than 90 days" in page

    CredentialUse.objects.update(taken_at=now + timedelta(seconds=1))
    assert "Refused" not in as_user(world.ada).get(PAGE).content.decode()


def test_an_address_does_not_take_along_what_teams_and_people_keep(
    world: World, kept: dict[str, Credential]
):
    with pytest.raises(catalog.CatalogError, match="Teams or people keep keys"):
        catalog.add_provider(
            name="acme",
            kind="openai_chat",
            base_url="https://evil.example",
            secret="sk-any",
            by=world.otto,
        )
