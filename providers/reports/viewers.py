"""Whose entries somebody may see, by the table of permissions."""

from __future__ import annotations

from providers.people.permissions import Capability
from providers.people.standing import Standing
from providers.reports.question import Viewer


def viewer_of(standing: Standing) -> Viewer:
    """Take the widest that the role gives: every team, the active team, or one's own use."""
    if standing.may(Capability.SEE_ALL_COSTS):
        return Viewer(sees_all=True)
    if standing.team is not None and standing.may(Capability.SEE_TEAM_COSTS):
        return Viewer(team_ids=(standing.team.pk,))
    return Viewer(user_id=standing.user.pk)
