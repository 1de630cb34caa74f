"""Where somebody stands: the active team and what may be done in it."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest

from providers.models import Membership, OrganisationRole, Team, User
from providers.people.permissions import Capability, capabilities


@dataclass(frozen=True, slots=True)
class Standing:
    """`team` is the active one, whose money is spent; None: a member of no team.

    `teams` are those that may be chosen: all of them for an owner.
    """

    user: User
    team: Team | None
    team_role: str | None
    teams: tuple[Team, ...]
    capabilities: frozenset[Capability]

    def may(self, capability: Capability) -> bool:
        return capability in self.capabilities

    @property
    def is_owner(self) -> bool:
        return self.user.role == OrganisationRole.OWNER


def standing_of_user(user: User) -> Standing:
    memberships = {
        membership.team_id: membership
        for membership in Membership.objects
        .filter(user=user)
        .select_related("team")
        .order_by("team__name", "team_id")
    }
    teams = tuple(membership.team for membership in memberships.values())
    own = teams
    if user.role == OrganisationRole.OWNER:
        teams = tuple(Team.objects.order_by("name", "id"))
    team = _active(user, teams, own)
    membership = memberships.get(team.pk) if team else None
    role = membership.role if membership else None
    return Standing(user, team, role, teams, capabilities(user.role, role))


def _active(user: User, teams: tuple[Team, ...], own: tuple[Team, ...]) -> Team | None:
    chosen = next((team for team in teams if team.pk == user.active_team_id), None)
    return chosen or next(iter(own or teams), None)


def standing_of(request: HttpRequest) -> Standing:
    """Who asks; the guard has put it there. Safe in coroutines. Raises LookupError for nobody."""
    standing: Standing | None = getattr(request, "standing", None)
    if standing is None:
        raise LookupError("nobody is signed in")
    return standing
