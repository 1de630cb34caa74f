from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from providers.models import SetupLink, Team, User
from providers.people import accounts, links
from providers.people.errors import PeopleError

pytestmark = pytest.mark.django_db

GOOD = "correct horse battery"


def token_of(path: str | None) -> str:
    assert path
    return path.strip("/").split("/")[-1]


def test_bootstrap_makes_an_owner_with_a_team():
    done = accounts.bootstrap(email=" Ada@Example.com", password=GOOD, team="Search")

    assert done.is_new
    assert (done.owner.email, done.owner.role) == ("ada@example.com", "owner")
    assert done.owner.is_superuser
    assert done.owner.check_password(GOOD)
    assert done.team.memberships.get().role == "admin"


def test_bootstrap_twice_changes_nothing():
    accounts.bootstrap(email="ada@example.com", password=GOOD, team="Search")
    again = accounts.bootstrap(email="ada@example.com", password="another password", team="search")

    assert not again.is_new
    assert again.owner.check_password(GOOD)
    assert Team.objects.count() == User.objects.count() == 1


@pytest.mark.parametrize(
    ("email", "password", "field"),
    [("ada", GOOD, "email"), ("ada@example.com", "short", "password")],
)
def test_bootstrap_names_the_argument_it_refuses(email: str, password: str, field: str):
    with pytest.raises(PeopleError) as refused:
        accounts.bootstrap(email=email, password=password)

    assert refused.value.field == field
    assert not User.objects.exists()


def test_the_setup_link_makes_the_owner_once():
    link = links.find(token_of(accounts.setup_link()))
    assert link
    accounts.accept_setup(link, email="ada@example.com", password=GOOD)

    assert accounts.owner_exists()
    with pytest.raises(PeopleError, match="used already"):
        accounts.accept_setup(link, email="eve@example.com", password=GOOD)
    assert not User.objects.filter(email="eve@example.com").exists()


def test_a_refused_password_leaves_the_setup_link_good():
    token = token_of(accounts.setup_link())
    link = links.find(token)
    assert link
    with pytest.raises(PeopleError):
        accounts.accept_setup(link, email="ada@example.com", password="short")

    assert links.find(token)


def test_each_start_makes_the_earlier_setup_link_void():
    first, second = token_of(accounts.setup_link()), token_of(accounts.setup_link())

    assert links.find(first) is None
    assert links.find(second)


def test_there_is_no_setup_link_once_there_is_an_owner():
    accounts.bootstrap(email="ada@example.com", password=GOOD)

    assert accounts.setup_link() is None


def test_a_links_token_is_not_in_the_database():
    token = token_of(accounts.setup_link())

    assert token.encode() not in bytes(SetupLink.objects.get().digest)


def test_an_expired_link_is_not_found():
    token = token_of(accounts.setup_link())
    SetupLink.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert links.find(token) is None


def test_a_link_is_redeemed_by_one_of_two_who_found_it():
    token = token_of(accounts.setup_link())
    first, second = links.find(token), links.find(token)
    assert first
    assert second

    assert [links.redeem(first), links.redeem(second)] == [True, False]


def test_a_password_link_sets_the_password_of_its_person_only():
    ada = accounts.bootstrap(email="ada@example.com", password=GOOD).owner
    ben = User.objects.create_user("ben@example.com")
    link = links.find(token_of(accounts.password_link(ben)))
    assert link
    accounts.accept_invitation(link, password="brand new password")

    ada.refresh_from_db()
    ben.refresh_from_db()
    assert ben.check_password("brand new password")
    assert ada.check_password(GOOD)


def test_the_setup_link_is_no_invitation():
    link = links.find(token_of(accounts.setup_link()))
    assert link
    with pytest.raises(PeopleError):
        accounts.accept_invitation(link, password=GOOD)


def test_a_disabled_persons_link_does_not_work():
    ben = User.objects.create_user("ben@example.com", is_active=False)
    link = links.find(token_of(accounts.password_link(ben)))
    assert link
    with pytest.raises(PeopleError):
        accounts.accept_invitation(link, password=GOOD)
