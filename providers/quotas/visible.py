"""Which quotas a person sees: an owner all, a team's admin the team's, everybody their own."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from providers.models import Quota
from providers.people.permissions import Capability
from providers.people.standing import Standing


def visible_to(standing: Standing) -> QuerySet[Quota]:
    rows = Quota.objects.select_related("team", "user", "key__user").order_by("pk")
    if standing.may(Capability.MANAGE_BUDGETS):
        return rows
    wanted = Q(user=standing.user) | Q(key__user=standing.user)
    if standing.team is not None:
        wanted |= Q(team=standing.team)
        if standing.may(Capability.SEE_BUDGETS):
            wanted |= Q(key__team=standing.team)
    return rows.filter(wanted)
