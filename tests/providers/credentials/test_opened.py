"""The nearest credential, and how long it stays open."""

from __future__ import annotations

from dataclasses import replace

import pytest
from asgiref.sync import async_to_sync
from django.db import connection

from providers import credentials
from providers.credentials import ring
from providers.credentials.opened import KEEP_OPEN_S, OpenedSecrets, read_sealed
from providers.credentials.ring import KeyRing
from providers.engine.call import Caller, Source
from providers.engine.errors import CredentialRejected
from providers.engine.routes import Deployment
from providers.models import Credential, Provider, Team, User

DEPLOYMENT = Deployment(1, "openai", "openai_chat", "gpt", "https://api.openai.com/v1")


class Clock:
    at = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def provider(db: None) -> Provider:
    return Provider.objects.create(name="openai", kind="openai_chat")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def opened(clock: Clock) -> OpenedSecrets:
    return OpenedSecrets(ring=ring.load, environment={"groq": "gsk-env"}, now=clock)


async def ask(opened: OpenedSecrets, **who: int) -> str | None:
    return await opened.secret_for(DEPLOYMENT, Caller(Source.GATEWAY, **who))


def test_only_a_hint_of_a_stored_key_is_readable(provider: Provider) -> None:
    credential = credentials.replace(provider=provider, secret="sk-canary-0123456789a3F9")
    assert str(credential) == "...a3F9"
    with connection.cursor() as cursor:
        cursor.execute("SELECT providers_credential::text FROM providers_credential")
        assert "canary" not in cursor.fetchone()[0]


def test_a_short_key_gives_no_hint() -> None:
    assert credentials.hint("short") == ""


def test_a_holder_has_one_credential(provider: Provider) -> None:
    credentials.replace(provider=provider, secret="one")
    credentials.replace(provider=provider, secret="two")
    assert Credential.objects.count() == 1


@pytest.mark.django_db
def test_the_nearest_credential_wins(provider: Provider, opened: OpenedSecrets) -> None:
    team = Team.objects.create(name="Ops", slug="ops")
    ada = User.objects.create_user("ada@example.com")
    credentials.replace(provider=provider, secret="the organisation's")
    credentials.replace(provider=provider, secret="the team's", team=team)
    credentials.replace(provider=provider, secret="ada's", user=ada)
    opened.publish(read_sealed())
    asked = async_to_sync(ask)
    assert asked(opened, user_id=ada.pk, team_id=team.pk) == "ada's"
    assert asked(opened, user_id=ada.pk + 1, team_id=team.pk) == "the team's"
    assert asked(opened, user_id=ada.pk + 1, team_id=team.pk + 1) == "the organisation's"
    assert asked(opened) == "the organisation's"


async def test_a_key_of_the_environment_serves_its_own_provider(opened: OpenedSecrets) -> None:
    groq = Deployment(2, "groq", "openai_chat", "llama", "https://api.groq.com")
    assert await opened.secret_for(groq, Caller(Source.GATEWAY)) == "gsk-env"
    assert await ask(opened) is None


@pytest.mark.django_db
def test_a_changed_row_is_forgotten_at_once_and_an_old_one_in_time(
    provider: Provider, opened: OpenedSecrets, clock: Clock
) -> None:
    credentials.replace(provider=provider, secret="old")
    opened.publish(read_sealed())
    asked = async_to_sync(ask)
    assert asked(opened) == "old"
    opened.ring = lambda: KeyRing("x", {})
    assert asked(opened) == "old"
    clock.at = KEEP_OPEN_S
    with pytest.raises(CredentialRejected):
        asked(opened)


@pytest.mark.django_db
def test_a_lost_ring_fails_the_attempt_not_the_server(
    provider: Provider, opened: OpenedSecrets
) -> None:
    credentials.replace(provider=provider, secret="sk")
    opened.publish(read_sealed())
    opened.ring = lambda: KeyRing("x", {"x": b"x" * 32})
    with pytest.raises(CredentialRejected, match="key ring"):
        async_to_sync(ask)(opened)


@pytest.mark.django_db
async def test_the_identity_of_a_credential_is_its_holders_and_says_nothing_of_the_secret(
    opened: OpenedSecrets,
) -> None:
    row = {("openai", None, None): None, ("openai", 3, None): None, ("openai", None, 7): None}
    opened.publish(row)  # type: ignore[arg-type] # nothing is opened

    def identity(**who: int) -> str:
        return opened.identity_of(DEPLOYMENT, Caller(Source.GATEWAY, **who))

    assert identity(team_id=9, user_id=9) == "organisation"
    assert identity(team_id=3, user_id=9) == "team 3"
    assert identity(team_id=3, user_id=7) == "user 7"
    groq = replace(DEPLOYMENT, provider="groq")
    assert opened.identity_of(groq, Caller(Source.GATEWAY)) == "environment"
    elsewhere = replace(DEPLOYMENT, provider="demo")
    assert opened.identity_of(elsewhere, Caller(Source.GATEWAY)) == ""
