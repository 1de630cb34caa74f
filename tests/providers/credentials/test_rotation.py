"""A rotation interrupts nobody, happens once, and ends by itself."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from providers import credentials, gateway, tasks
from providers.credentials import Checked, CredentialRefused, Holder, rotation
from providers.engine.call import Caller, Source
from providers.models import AuditEntry, Credential, Provider, Team, User
from tests.providers.credentials.test_opened import DEPLOYMENT, Clock, clock, opened, provider

__all__ = ["clock", "opened", "provider"]

HOUR = timedelta(hours=1)


def rotated(old: Credential, overlap: timedelta = HOUR) -> Credential:
    return rotation.rotate(old, "sk-new-0123456789-b7K2", overlap=overlap, now=timezone.now())


@pytest.fixture
def old(provider: Provider) -> Credential:
    return credentials.add(provider, "sk-old-0123456789-a3F9", label="batch", weight=3)


def test_the_new_key_takes_the_share_and_the_old_one_stands_in(old: Credential) -> None:
    new = rotated(old)
    old.refresh_from_db()
    assert (new.label, new.weight, new.ends_at) == ("batch", 3, None)
    assert old.weight == 0
    assert old.ends_at is not None


def test_without_an_overlap_the_old_key_is_gone_at_once(old: Credential) -> None:
    new = rotated(old, timedelta(0))
    assert list(Credential.objects.all()) == [new]


def test_a_key_is_not_rotated_twice(old: Credential) -> None:
    rotated(old)
    with pytest.raises(CredentialRefused, match="meanwhile"):
        rotated(old)
    assert Credential.objects.count() == 2


def test_an_overlap_has_bounds(old: Credential) -> None:
    with pytest.raises(CredentialRefused) as caught:
        rotated(old, timedelta(days=31))
    assert caught.value.field == "overlap"
    assert Credential.objects.count() == 1


def test_a_task_ends_overlaps_and_says_so_in_the_log(old: Credential) -> None:
    new = rotated(old)
    assert rotation.end_overlaps(timezone.now()) == 0
    assert rotation.end_overlaps(timezone.now() + HOUR) == 1
    assert rotation.end_overlaps(timezone.now() + HOUR) == 0
    assert list(Credential.objects.all()) == [new]
    last = AuditEntry.objects.latest("id")
    assert (last.action, last.actor) == ("credential.revoked", "this machine")
    assert "overlap" in last.reason


def test_old_keys_are_counted_and_those_that_are_ending_are_not(
    old: Credential, caplog: pytest.LogCaptureFixture
) -> None:
    assert tasks.remind_of_old_keys() == 0
    Credential.objects.update(created_at=timezone.now() - timedelta(days=90))
    assert tasks.remind_of_old_keys() == 1
    rotated(old)
    assert tasks.remind_of_old_keys() == 0


def test_doctor_names_providers_with_old_keys(old: Credential) -> None:
    Credential.objects.update(created_at=timezone.now() - timedelta(days=90))
    from gaiweb.management.commands.doctor import look_at_old_keys

    (finding,) = look_at_old_keys()
    assert finding.is_well is None
    assert finding.words == "openai: 1 older than 90 days; rotate them"


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keys that the provider takes; none other."""
    good: list[str] = []

    async def check_key(provider: Provider, secret: str | None) -> Checked:
        is_good = secret in good
        return Checked(ok=is_good, message="It works." if is_good else "Refused.", latency_ms=1)

    monkeypatch.setattr(gateway, "check_key", check_key)
    return good


def command(*words: str) -> str:
    out = StringIO()
    call_command("credential", *words, stdout=out)
    return out.getvalue()


def test_the_command_rotates_only_to_a_key_that_works(
    old: Credential, taken: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEW", "sk-new-0123456789-b7K2")
    with pytest.raises(CommandError, match="nothing was changed"):
        command("rotate", "openai", "--key-env", "NEW")
    assert list(Credential.objects.all()) == [old]

    taken.append("sk-new-0123456789-b7K2")
    told = command("rotate", "openai", "--key-env", "NEW", "--overlap", "30m")
    assert "...b7K2 now; ...a3F9 stands in until" in told
    assert "sk-" not in told


def test_the_command_keeps_a_teams_key_apart(
    old: Credential, team: Team, taken: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEW", "sk-team-0123456789-c1D4")
    taken.append("sk-team-0123456789-c1D4")
    command("add", "openai", "--key-env", "NEW", "--team", "builders", "--label", "ours")
    assert Credential.objects.get(team=team).hint == "c1D4"
    command("revoke", "openai", "--team", "builders")
    assert list(Credential.objects.all()) == [old]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("rotate", "nobody", "--key-env", "NEW"), "PROVIDER: there is no 'nobody'"),
        (("rotate", "openai", "--key-env", "UNSET"), "--key-env: UNSET is not set"),
        (("rotate", "openai", "--key-env", "NEW", "--overlap", "soon"), "--overlap: 'soon'"),
        (("rotate", "openai", "--key-env", "NEW", "--team", "none"), "--team: There is no team"),
        (("revoke", "openai", "--hint", "zzzz"), "--hint: organisation has 0"),
    ],
)
def test_the_command_names_what_is_wrong(
    old: Credential,
    taken: list[str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    says: str,
) -> None:
    monkeypatch.setenv("NEW", "sk-x")
    with pytest.raises(CommandError, match=says):
        command(*words)


def test_a_persons_key_never_serves_anybody_else(
    provider: Provider, opened: credentials.opened.OpenedSecrets, clock: Clock, ben: User
) -> None:
    credentials.add(provider, "ben's", Holder(user=ben))
    opened.publish(credentials.opened.read_sealed())
    assert opened.pick(DEPLOYMENT, Caller(Source.GATEWAY, user_id=ben.pk)) != ""
    assert opened.pick(DEPLOYMENT, Caller(Source.GATEWAY, user_id=ben.pk + 1)) == ""
    assert opened.pick(DEPLOYMENT, Caller(Source.PROBE)) == ""
