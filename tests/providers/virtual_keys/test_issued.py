"""Issue, rotate, revoke."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from providers import virtual_keys
from providers.models import Membership, OrganisationRole, Route, Team, TeamRole, User, VirtualKey
from providers.virtual_keys import Lifetime, Terms
from providers.virtual_keys.secret import PREFIX_LENGTH, digest, pepper

pytestmark = pytest.mark.django_db


@pytest.fixture
def team() -> Team:
    return Team.objects.create(name="Ops", slug="ops")


@pytest.fixture
def ben(team: Team) -> User:
    ben = User.objects.create_user("ben@example.com", "correct horse battery")
    Membership.objects.create(user=ben, team=team)
    return ben


def test_the_secret_itself_is_not_kept(ben: User, team: Team) -> None:
    key, secret = virtual_keys.issue(user=ben, team=team, name="laptop")
    key.refresh_from_db()
    assert secret.startswith(key.prefix)
    assert len(key.prefix) == PREFIX_LENGTH
    assert bytes(key.digest) == digest(secret, pepper())
    columns = [str(value) for value in VirtualKey.objects.values_list().get()]
    assert not any(secret in column for column in columns)


def test_a_repeat_with_the_same_name_is_refused_with_the_way_out(ben: User, team: Team) -> None:
    virtual_keys.issue(user=ben, team=team, name="laptop")
    with pytest.raises(virtual_keys.KeyRefused, match="--rotate") as refused:
        virtual_keys.issue(user=ben, team=team, name="laptop")
    assert refused.value.field == "name"


def test_rotation_leaves_one_live_key(ben: User, team: Team) -> None:
    old, _ = virtual_keys.issue(user=ben, team=team, name="laptop")
    new, _ = virtual_keys.issue(user=ben, team=team, name="laptop", rotate=True)
    old.refresh_from_db()
    assert old.revoked_at is not None
    assert VirtualKey.objects.filter(revoked_at=None).get() == new


def test_a_revoked_name_is_free_again(ben: User, team: Team) -> None:
    key, _ = virtual_keys.issue(user=ben, team=team, name="laptop")
    virtual_keys.revoke(key)
    virtual_keys.revoke(key)
    virtual_keys.issue(user=ben, team=team, name="laptop")


def test_a_stranger_gets_no_key_of_the_team(team: Team) -> None:
    cleo = User.objects.create_user("cleo@example.com", "correct horse battery")
    with pytest.raises(virtual_keys.KeyRefused) as refused:
        virtual_keys.issue(user=cleo, team=team, name="laptop")
    assert refused.value.field == "team"


def test_a_viewer_gets_no_key(ben: User, team: Team) -> None:
    Membership.objects.update(role=TeamRole.VIEWER)
    with pytest.raises(virtual_keys.KeyRefused):
        virtual_keys.issue(user=ben, team=team, name="laptop")


def test_an_owner_may_hold_a_key_of_any_team(team: Team) -> None:
    ada = User.objects.create_user(
        "ada@example.com", "correct horse battery", role=OrganisationRole.OWNER
    )
    virtual_keys.issue(user=ada, team=team, name="laptop")


def test_a_rotation_never_widens_what_a_key_may_and_lasts_as_long_again(
    ben: User, team: Team
) -> None:
    Route.objects.create(name="fast")
    terms = Terms(["fast"], Lifetime(timedelta(days=30)))
    old, _ = virtual_keys.issue(user=ben, team=team, name="laptop", terms=terms)
    long_ago = timezone.now() - timedelta(days=40)
    VirtualKey.objects.update(created_at=long_ago, expires_at=long_ago + timedelta(days=30))
    new, _ = virtual_keys.issue(user=ben, team=team, name="laptop", rotate=True)
    assert new.routes == ["fast"]
    assert new.expires_at
    assert 29 <= (new.expires_at - timezone.now()).days <= 30
    wider = Terms([], Lifetime(None))
    newest, _ = virtual_keys.issue(user=ben, team=team, name="laptop", rotate=True, terms=wider)
    assert (newest.routes, newest.expires_at) == ([], None)
    assert old.routes == ["fast"]


def test_a_route_that_is_not_there_is_refused(ben: User, team: Team) -> None:
    Route.objects.create(name="fast")
    with pytest.raises(virtual_keys.KeyRefused, match="Known: fast") as refused:
        virtual_keys.issue(user=ben, team=team, name="laptop", terms=Terms(["fats"]))
    assert refused.value.field == "routes"
    assert not VirtualKey.objects.exists()
