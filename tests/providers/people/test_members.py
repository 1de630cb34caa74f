from __future__ import annotations

import pytest

from providers.models import Membership, User, VirtualKey
from providers.people import members
from providers.people.errors import PeopleError
from providers.people.standing import standing_of_user
from providers.people.teams import choose_team, create_team, find_team
from tests.providers.people.conftest import World


def live_keys(user: User) -> int:
    return VirtualKey.objects.filter(user=user, revoked_at=None).count()


def give_key(user: User, world: World, name: str = "laptop") -> None:
    unique = f"{name}{user.pk}"
    VirtualKey.objects.create(
        name=name, prefix=unique, digest=unique.encode(), user=user, team=world.search
    )


def test_a_new_member_gets_a_link_and_one_with_a_password_does_not(world: World):
    new = members.add_member(email="New@example.com", team=world.search, role="member")
    known = members.add_member(email="cleo@example.com", team=world.search, role="member")

    assert new.is_new
    assert new.link
    assert known.is_new
    assert known.link is None


def test_adding_twice_changes_the_role_and_nothing_else(world: World):
    again = members.add_member(email="mia@example.com", team=world.search, role="viewer")

    assert not again.is_new
    assert again.membership.role == "viewer"
    assert Membership.objects.filter(user=world.mia).count() == 1


def test_operator_and_owner_are_roles_over_all_teams(world: World):
    operator = members.add_member(email="o@example.com", team=world.search, role="operator")
    owner = members.add_member(email="w@example.com", team=world.search, role="owner")

    assert (operator.membership.user.role, operator.membership.role) == ("operator", "member")
    assert (owner.membership.user.role, owner.membership.role) == ("owner", "admin")
    assert owner.membership.user.is_superuser
    assert not operator.membership.user.is_superuser


def test_an_unknown_role_is_refused_with_those_that_exist(world: World):
    with pytest.raises(PeopleError, match="viewer, member, admin, operator, owner") as refused:
        members.add_member(email="x@example.com", team=world.search, role="boss")
    assert refused.value.field == "role"


def test_an_unknown_team_is_refused_with_those_that_exist(world: World):
    with pytest.raises(PeopleError, match="'Billing', 'Search'") as refused:
        find_team("Sales")
    assert refused.value.field == "team"


def test_the_last_owner_stays_owner(world: World):
    with pytest.raises(PeopleError, match="one owner at least"):
        members.change_role(world.membership(world.ada), "member")
    members.change_role(world.membership(world.ben), "owner")
    members.change_role(world.membership(world.ada), "member")

    world.ada.refresh_from_db()
    assert (world.ada.role, world.ada.is_superuser) == ("", False)


@pytest.mark.parametrize("role", ["operator", "owner"])
def test_a_team_admin_makes_no_operator_and_no_owner(world: World, role: str):
    with pytest.raises(PeopleError, match="Only an owner"):
        members.add_member(
            email="x@example.com", team=world.search, role=role, by=standing_of_user(world.ben)
        )
    assert not User.objects.filter(email="x@example.com").exists()


def test_a_team_admin_does_not_demote_an_owner(world: World):
    by = standing_of_user(world.ben)
    with pytest.raises(PeopleError):
        members.change_role(world.membership(world.ada), "viewer", by=by)
    with pytest.raises(PeopleError):
        members.remove_member(world.membership(world.ada), by=by)


def test_an_admin_of_another_team_changes_nothing_here(world: World):
    by = standing_of_user(world.cleo)
    mia = world.membership(world.mia)
    for attempt in (
        lambda: members.change_role(mia, "admin", by=by),
        lambda: members.remove_member(mia, by=by),
        lambda: members.new_link(mia, by=by),
        lambda: members.add_member(email="x@y.com", team=world.search, role="viewer", by=by),
    ):
        with pytest.raises(PeopleError):
            attempt()


@pytest.mark.parametrize("name", ["mia", "vic", "otto"])
def test_who_does_not_manage_members_changes_nobody(world: World, name: str):
    by = standing_of_user(getattr(world, name))
    with pytest.raises(PeopleError):
        members.change_role(world.membership(world.vic), "admin", by=by)


def test_only_an_owner_replaces_a_password_that_is_set(world: World):
    with pytest.raises(PeopleError, match="Only an owner"):
        members.new_link(world.membership(world.mia), by=standing_of_user(world.ben))

    assert members.new_link(world.membership(world.mia), by=standing_of_user(world.ada))


def test_a_removed_member_loses_the_team_and_its_keys_at_once(world: World):
    give_key(world.mia, world)
    choose_team(world.mia, world.search.pk)
    members.remove_member(world.membership(world.mia))

    world.mia.refresh_from_db()
    assert live_keys(world.mia) == 0
    assert standing_of_user(world.mia).team is None
    assert world.mia.active_team_id is None


def test_a_member_who_becomes_a_viewer_loses_the_keys(world: World):
    give_key(world.mia, world)
    members.change_role(world.membership(world.mia), "viewer")

    assert live_keys(world.mia) == 0


def test_a_team_that_is_not_yours_cannot_be_chosen(world: World):
    with pytest.raises(PeopleError):
        choose_team(world.mia, world.billing.pk)


def test_an_owner_chooses_any_team(world: World):
    choose_team(world.ada, world.billing.pk)

    standing = standing_of_user(world.ada)
    assert (standing.team, standing.team_role) == (world.billing, None)


def test_a_removed_membership_ends_a_choice_made_before(world: World):
    members.add_member(email="mia@example.com", team=world.billing, role="viewer")
    choose_team(world.mia, world.billing.pk)
    Membership.objects.filter(user=world.mia, team=world.billing).delete()
    world.mia.refresh_from_db()

    assert standing_of_user(world.mia).team == world.search


def test_teams_with_the_same_name_are_refused_and_slugs_differ(world: World):
    with pytest.raises(PeopleError):
        create_team(" search ")
    assert create_team("Search!").slug == "search-2"
