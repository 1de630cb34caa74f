"""Whose credentials somebody sees and may touch: its holder's own, and all of them for owners."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from providers.credentials.held import ORGANISATION, Holder
from providers.models import Credential
from providers.people.permissions import Capability
from providers.people.standing import Standing


def visible_to(standing: Standing) -> QuerySet[Credential]:
    """List one's own; the active team's for its admins, the organisation's for operators."""
    found = Credential.objects.select_related("provider", "team", "user", "created_by", "use")
    if not standing.is_owner:
        found = found.filter(_theirs(standing))
    return found.order_by("provider__name", "user__email", "team__name", "created_at", "pk")


def holders_of(standing: Standing) -> dict[str, Holder]:
    """Name for whom somebody may add one."""
    holders: dict[str, Holder] = {}
    if standing.may(Capability.MANAGE_PROVIDERS):
        holders["organisation"] = ORGANISATION
    if standing.team is not None and standing.may(Capability.MANAGE_TEAM_CREDENTIALS):
        holders["team"] = Holder(team=standing.team)
    if standing.may(Capability.HOLD_CREDENTIALS):
        holders["user"] = Holder(user=standing.user)
    return holders


def _theirs(standing: Standing) -> Q:
    theirs = Q(pk__in=[])
    for holder in holders_of(standing).values():
        theirs |= Q(team=holder.team, user=holder.user)
    return theirs
