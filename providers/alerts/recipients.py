"""Who gets mail about a budget: owners, the admins of its team, and whom it binds."""

from __future__ import annotations

from django.db.models import Q

from providers.models import Budget, OrganisationRole, TeamRole, User


def addresses_of(budget: Budget) -> list[str]:
    """List addresses of active people, each once."""
    wanted = Q(role=OrganisationRole.OWNER)
    team_id = budget.key.team_id if budget.key else budget.team_id
    if team_id is not None:
        wanted |= Q(memberships__team=team_id, memberships__role=TeamRole.ADMIN)
    person = budget.key.user_id if budget.key else budget.user_id
    if person is not None:
        wanted |= Q(pk=person)
    found = User.objects.filter(wanted, is_active=True)
    return sorted(set(found.values_list("email", flat=True)))
