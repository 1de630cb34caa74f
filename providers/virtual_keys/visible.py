"""Which virtual keys a person sees: their own, or the whole team's for whoever manages it."""

from __future__ import annotations

from django.db.models import QuerySet

from providers.models import VirtualKey
from providers.people.permissions import Capability
from providers.people.standing import Standing


def visible_to(standing: Standing) -> QuerySet[VirtualKey]:
    """Live keys of the active team."""
    if standing.team is None:
        return VirtualKey.objects.none()
    keys = VirtualKey.objects.filter(team=standing.team, revoked_at=None)
    if not standing.may(Capability.MANAGE_TEAM_KEYS):
        keys = keys.filter(user=standing.user)
    return keys.select_related("user", "team").order_by("name", "pk")


def own(standing: Standing) -> QuerySet[VirtualKey]:
    """Only these may be rotated: whoever rotates reads the new secret."""
    return visible_to(standing).filter(user=standing.user)
