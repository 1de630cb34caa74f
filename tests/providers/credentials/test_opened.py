"""The nearest credential, and how long it stays open."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from prometheus_client import REGISTRY

from providers import credentials
from providers.credentials import Holder, ring
from providers.credentials.opened import KEEP_OPEN_S, PUT_ASIDE_S, OpenedSecrets, read_sealed
from providers.credentials.ring import KeyRing
from providers.engine.call import Caller, Source
from providers.engine.errors import CredentialRejected
from providers.engine.routes import Deployment
from providers.models import Credential, Provider, Team, User

START = datetime(2126, 11, 27, tzinfo=UTC)
DEPLOYMENT = Deployment(1, "openai", "openai_chat", "gpt", "https://api.openai.com/v1")


class Clock:
    """Seconds since a moment, the next draws, and what was noted."""

    at = 0.0

    def __init__(self) -> None:
        self.draws: list[float] = []
        self.noted: list[tuple[int, bool]] = []

    def __call__(self) -> float:
        return self.at

    def utc(self) -> datetime:
        return START + timedelta(seconds=self.at)

    def draw(self) -> float:
        return self.draws.pop(0)

    def note(self, credential_id: int, is_taken: bool) -> None:
        self.noted.append((credential_id, is_taken))


@pytest.fixture
def provider(db: None) -> Provider:
    return Provider.objects.create(name="openai", kind="openai_chat")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def opened(clock: Clock) -> OpenedSecrets:
    return OpenedSecrets(
        ring=ring.load,
        environment={"groq": "gsk-env"},
        now=clock,
        utcnow=clock.utc,
        random=clock.draw,
        noted=clock.note,
    )


async def ask(opened: OpenedSecrets, deployment: Deployment = DEPLOYMENT, **who: int) -> str | None:
    picked = opened.pick(deployment, Caller(Source.GATEWAY, **who))
    return await opened.open(deployment, picked)


def test_only_a_hint_of_a_stored_key_is_readable(provider: Provider) -> None:
    credential = credentials.add(provider, "sk-canary-0123456789a3F9")
    assert str(credential) == "...a3F9"
    with connection.cursor() as cursor:
        cursor.execute("SELECT providers_credential::text FROM providers_credential")
        assert "canary" not in cursor.fetchone()[0]


def test_a_short_key_gives_no_hint() -> None:
    assert credentials.hint("short") == ""


def test_a_key_given_again_takes_the_place_of_the_only_one(provider: Provider) -> None:
    credentials.replace(provider, "one")
    credentials.replace(provider, "two")
    assert Credential.objects.count() == 1


def test_one_of_several_keys_is_not_replaced_by_guessing(provider: Provider) -> None:
    credentials.add(provider, "one")
    credentials.add(provider, "two")
    with pytest.raises(credentials.CredentialRefused, match="2 keys"):
        credentials.replace(provider, "three")


@pytest.mark.django_db
def test_the_nearest_credential_wins(provider: Provider, opened: OpenedSecrets) -> None:
    team = Team.objects.create(name="Ops", slug="ops")
    ada = User.objects.create_user("ada@example.com")
    credentials.add(provider, "the organisation's")
    credentials.add(provider, "the team's", Holder(team=team))
    credentials.add(provider, "ada's", Holder(user=ada))
    opened.publish(read_sealed())
    asked = async_to_sync(ask)
    assert asked(opened, user_id=ada.pk, team_id=team.pk) == "ada's"
    assert asked(opened, user_id=ada.pk + 1, team_id=team.pk) == "the team's"
    assert asked(opened, user_id=ada.pk + 1, team_id=team.pk + 1) == "the organisation's"
    assert asked(opened) == "the organisation's"


async def test_a_key_of_the_environment_serves_its_own_provider(opened: OpenedSecrets) -> None:
    groq = Deployment(2, "groq", "openai_chat", "llama", "https://api.groq.com")
    assert await ask(opened, groq) == "gsk-env"
    assert await ask(opened) is None


@pytest.mark.django_db
def test_a_changed_row_is_forgotten_at_once_and_an_old_one_in_time(
    provider: Provider, opened: OpenedSecrets, clock: Clock
) -> None:
    credentials.add(provider, "old")
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
    credentials.add(provider, "sk")
    opened.publish(read_sealed())
    opened.ring = lambda: KeyRing("x", {"x": b"x" * 32})
    labels = {"provider": provider.name, "reason": "ring_unreadable"}
    before = REGISTRY.get_sample_value("gai_key_fetch_errors_total", labels) or 0
    with pytest.raises(CredentialRejected, match="key ring"):
        async_to_sync(ask)(opened)
    assert REGISTRY.get_sample_value("gai_key_fetch_errors_total", labels) == before + 1


async def test_the_name_of_what_is_picked_says_nothing_of_the_secret(
    provider: Provider, opened: OpenedSecrets
) -> None:
    groq = replace(DEPLOYMENT, provider="groq")
    assert opened.pick(groq, Caller(Source.GATEWAY)) == "environment"
    assert opened.pick(DEPLOYMENT, Caller(Source.GATEWAY)) == ""


def test_prompts_are_shared_out_by_weight(
    provider: Provider, opened: OpenedSecrets, clock: Clock
) -> None:
    credentials.add(provider, "one", weight=1)
    credentials.add(provider, "three", weight=3)
    credentials.add(provider, "none", weight=0)
    opened.publish(read_sealed())
    clock.draws = [0.0, 0.24, 0.25, 0.99, 1.0]
    asked = async_to_sync(ask)
    assert [asked(opened) for _ in range(5)] == ["one", "one", "three", "three", "three"]


def test_a_refused_key_is_put_aside_for_a_while_and_then_drawn_again(
    provider: Provider, opened: OpenedSecrets, clock: Clock
) -> None:
    refused = credentials.add(provider, "refused")
    credentials.add(provider, "good", weight=0)
    opened.publish(read_sealed())
    asked = async_to_sync(ask)
    opened.report(f"credential {refused.pk}", is_taken=False)
    assert asked(opened) == "good"
    opened.publish(read_sealed())
    assert asked(opened) == "good"
    assert clock.noted == [(refused.pk, False)]
    clock.at = PUT_ASIDE_S
    clock.draws = [0.5]
    assert asked(opened) == "refused"


def test_where_all_are_refused_each_has_its_turn(
    provider: Provider, opened: OpenedSecrets, clock: Clock
) -> None:
    first, second = (credentials.add(provider, secret) for secret in ("first", "second"))
    opened.publish(read_sealed())
    asked = async_to_sync(ask)
    for credential in (second, first):
        opened.report(f"credential {credential.pk}", is_taken=False)
        clock.at += 1
    assert asked(opened) == "second"
    opened.report(f"credential {second.pk}", is_taken=False)
    assert asked(opened) == "first"


def test_a_key_that_works_again_is_not_aside_any_more(
    provider: Provider, opened: OpenedSecrets, clock: Clock
) -> None:
    key = credentials.add(provider, "key")
    credentials.add(provider, "other", weight=0)
    opened.publish(read_sealed())
    name = f"credential {key.pk}"
    opened.report(name, is_taken=False)
    opened.report(name, is_taken=True)
    clock.draws = [0.5]
    assert opened.pick(DEPLOYMENT, Caller(Source.GATEWAY)) == name


def test_a_key_past_its_end_is_not_used_though_no_task_has_removed_it(
    provider: Provider, opened: OpenedSecrets, clock: Clock
) -> None:
    ending = credentials.add(provider, "ending")
    Credential.objects.filter(pk=ending.pk).update(ends_at=START + timedelta(seconds=10))
    opened.publish(read_sealed())
    asked = async_to_sync(ask)
    assert asked(opened) == "ending"
    clock.at = 10
    assert asked(opened) is None
    with pytest.raises(CredentialRejected, match="revoked"):
        async_to_sync(opened.open)(DEPLOYMENT, f"credential {ending.pk}")


def test_a_sealed_key_does_not_open_in_another_row_of_the_same_holder(
    provider: Provider, opened: OpenedSecrets
) -> None:
    own = credentials.add(provider, "own")
    foreign = credentials.add(provider, "foreign")
    Credential.objects.filter(pk=own.pk).update(
        sealed=foreign.sealed, wrapped_key=foreign.wrapped_key
    )
    credentials.revoke(foreign)
    opened.publish(read_sealed())
    with pytest.raises(CredentialRejected, match="does not open"):
        async_to_sync(ask)(opened)


def test_the_last_key_that_takes_prompts_keeps_a_weight(provider: Provider) -> None:
    only = credentials.add(provider, "only")
    with pytest.raises(credentials.CredentialRefused) as caught:
        credentials.change(only, label="", weight=0)
    assert caught.value.field == "weight"
    credentials.add(provider, "another")
    assert credentials.change(only, label="old", weight=0).weight == 0
