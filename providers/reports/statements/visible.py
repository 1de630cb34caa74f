"""Whose statements somebody may read: all, or those of the active team."""

from __future__ import annotations

from django.db.models import QuerySet

from providers.models import Statement
from providers.people.permissions import Capability
from providers.people.standing import Standing


def statements_visible_to(standing: Standing) -> QuerySet[Statement]:
    """Newest first; nobody's for who sees no costs of a team."""
    every = Statement.objects.order_by("-number")
    if standing.may(Capability.SEE_ALL_COSTS):
        return every
    if standing.team is None or not standing.may(Capability.SEE_TEAM_COSTS):
        return every.none()
    return every.filter(team=standing.team)
