"""Members of teams and their roles: add, change, remove. Whoever asks is checked here too."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.db.models import QuerySet

from providers import audit, virtual_keys
from providers.models import (
    Membership,
    OrganisationRole,
    Team,
    TeamRole,
    User,
)
from providers.people import accounts
from providers.people.errors import PeopleError
from providers.people.permissions import TEAM_ROLES, Capability
from providers.people.standing import Standing

ROLES: dict[str, str] = {
    **{role.value: role.label for role in TeamRole},
    OrganisationRole.OPERATOR.value: OrganisationRole.OPERATOR.label,
    OrganisationRole.OWNER.value: OrganisationRole.OWNER.label,
}
"""The five roles, weakest first. The last two are over all teams."""

_TEAM_ROLE_OF = {OrganisationRole.OPERATOR: TeamRole.MEMBER, OrganisationRole.OWNER: TeamRole.ADMIN}


@dataclass(frozen=True, slots=True)
class Added:
    """`link` is the path where a new person sets a password; None: they have one already."""

    membership: Membership
    is_new: bool
    link: str | None


def add_member(*, email: str, team: Team, role: str, by: Standing | None = None) -> Added:
    """Put somebody in a team with that role; make the account when it is missing.

    Twice is harmless; a person without a password gets a new link each time. `by` None: the
    command line, which may do everything. Raises PeopleError.
    """
    email = accounts.clean_email(email)
    _check_role(role, by)
    _check_team(team, by)
    with transaction.atomic():
        user, _ = User.objects.get_or_create(
            email=email, defaults={"password": make_password(None)}
        )
        membership, is_new = Membership.objects.get_or_create(team=team, user=user)
        if is_new:
            audit.write(_who(by), "member.added", _named(membership), after={"role": role})
        change_role(membership, role, by=by)
        link = None if user.has_usable_password() else accounts.password_link(user, by=_who(by))
    return Added(membership, is_new, link)


def role_of(membership: Membership) -> str:
    """Name the one of the five that people read: the organisation's where there is one."""
    return membership.user.role or membership.role


def change_role(membership: Membership, role: str, *, by: Standing | None = None) -> None:
    """Give the member one of the five roles. Raises PeopleError.

    Who may no longer hold API keys loses those of this team.
    """
    _check_role(role, by)
    _check_team(membership.team, by)
    user = membership.user
    if by is not None and not may_change(membership, by):
        raise PeopleError(f"Only an owner changes the role of an {user.role}.", field="role")
    before = {"role": role_of(membership)}
    over_all = role if role in _TEAM_ROLE_OF else OrganisationRole.NONE
    with transaction.atomic():
        if user.role != over_all:
            _keep_an_owner(user)
            accounts.set_organisation_role(user, over_all)
        membership.role = _TEAM_ROLE_OF.get(OrganisationRole(over_all), role)
        membership.save(update_fields=["role"])
        if Capability.HOLD_KEYS not in TEAM_ROLES[membership.role]:
            virtual_keys.revoke_all(user, membership.team, by=_who(by))
        after = {"role": role_of(membership)}
        audit.write_change(_who(by), "member.role", _named(membership), before, after)


def remove_member(membership: Membership, *, by: Standing | None = None) -> None:
    """Take somebody out of a team and revoke their API keys there. Raises PeopleError.

    The account stays: what was spent keeps its name.
    """
    user, team = membership.user, membership.team
    _check_team(team, by)
    if by is not None and not may_change(membership, by):
        raise PeopleError(f"Only an owner removes an {user.role}.")
    others = user.memberships.exclude(pk=membership.pk)
    if user.role == OrganisationRole.OWNER and not others.exists():
        raise PeopleError("An owner stays in one team at least. Change the role first.")
    with transaction.atomic():
        virtual_keys.revoke_all(user, team, by=_who(by))
        told = {"role": role_of(membership)}
        audit.write(_who(by), "member.removed", _named(membership), before=told)
        membership.delete()
        User.objects.filter(pk=user.pk, active_team=team).update(active_team=None)


def new_link(membership: Membership, *, by: Standing | None = None) -> str:
    """Path of a link for a forgotten password, or for an invitation that ran out.

    A password that is set can be replaced by owners only: it opens every team of that person.
    Raises PeopleError.
    """
    _check_team(membership.team, by)
    if by is not None and not may_link(membership, by):
        raise PeopleError("Only an owner makes a link that replaces a password.")
    return accounts.password_link(membership.user, by=_who(by))


def may_link(membership: Membership, by: Standing) -> bool:
    user = membership.user
    return by.is_owner or not (user.has_usable_password() or user.role)


def may_change(membership: Membership, by: Standing) -> bool:
    """Say whether `by`, who manages the team, may touch this member: only owners touch owners."""
    return by.is_owner or not membership.user.role


def visible_to(standing: Standing) -> QuerySet[Membership]:
    """Members of the active team, for whoever manages them; for others nobody."""
    if standing.team is None or not standing.may(Capability.MANAGE_MEMBERS):
        return Membership.objects.none()
    return Membership.objects.filter(team=standing.team).select_related("user", "team")


def roles_to_give(by: Standing) -> dict[str, str]:
    if by.may(Capability.MANAGE_PEOPLE):
        return ROLES
    return {role: label for role, label in ROLES.items() if role in TEAM_ROLES}


def _check_role(role: str, by: Standing | None) -> None:
    if role not in ROLES:
        known = ", ".join(ROLES)
        raise PeopleError(f"There is no role {role!r}. There are: {known}.", field="role")
    if by is not None and role not in roles_to_give(by):
        raise PeopleError("Only an owner makes operators and owners.", field="role")


def _check_team(team: Team, by: Standing | None) -> None:
    if by is None or by.is_owner:
        return
    if by.team != team or not by.may(Capability.MANAGE_MEMBERS):
        raise PeopleError("You do not manage the members of that team.", field="team")


def _keep_an_owner(user: User) -> None:
    owners = User.objects.select_for_update().filter(role=OrganisationRole.OWNER, is_active=True)
    if {owner.pk for owner in owners} == {user.pk}:
        raise PeopleError(
            "There must be one owner at least. Make another owner first.", field="role"
        )


def _who(by: Standing | None) -> User | None:
    return None if by is None else by.user


def _named(membership: Membership) -> str:
    return f"{membership.user.email} in {membership.team.slug}"
