"""What the frame around every page shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from providers import gateway
from providers.alerts import shown
from providers.alerts.words import Alert
from providers.health import pulse
from providers.health.board import Verdict
from providers.models import Team, User
from providers.people.permissions import Capability, required
from providers.people.standing import Standing, standing_of_user
from providers.views.frame_banner import Told, told_to

THEMES = ("system", "light", "dark")


@dataclass(frozen=True)
class NavItem:
    label: str
    icon: str
    url: str
    is_current: bool
    is_last: bool = False


@dataclass(frozen=True)
class Shell:
    """`team` None: signed out, or a person without a team. `nav` holds only what they may open.

    `verdict` is what is known of the system's health without asking; None: not yet.
    `told` is the banner under the bar, `alerts` are notices of budgets.
    `counts_alone`: Redis is away, and who sees health should know what that means.
    """

    nav: list[NavItem] = field(default_factory=list)
    teams: list[Team] = field(default_factory=list)
    team: Team | None = None
    team_url: str = ""
    verdict: Verdict | None = None
    may_see_health: bool = False
    counts_alone: bool = False
    told: Told = field(default_factory=Told)
    alerts: list[Alert] = field(default_factory=list)
    themes: tuple[str, ...] = THEMES


# label, icon, URL name, prefix of the addresses that belong to it
PLACES = (
    ("Playground", "message-square-text", "conversations:playground", "/playground"),
    ("Costs", "wallet", "providers:costs", "/costs"),
    ("Health", "activity", "providers:health", "/health"),
    ("Settings", "settings-2", "providers:settings", "/settings"),
)


def context(request: HttpRequest) -> dict[str, Shell]:
    user = getattr(request, "user", None)
    if not isinstance(user, User):
        return {"shell": Shell()}
    # The guard does not see an address that leads nowhere.
    standing = getattr(request, "standing", None) or standing_of_user(user)
    may_see_health = standing.may(Capability.SEE_HEALTH)
    known, now = pulse.known(), timezone.now()
    team_id = standing.team.pk if standing.team else None
    return {
        "shell": Shell(
            nav=list(places(request, standing)),
            teams=list(standing.teams),
            team=standing.team,
            team_url=_address("providers:choose_team") or "",
            verdict=known.verdict_for(team_id, now) if known else None,
            may_see_health=may_see_health,
            told=told_to(standing, known, now),
            alerts=shown.shown_to(standing, now),
            counts_alone=may_see_health and gateway.sharing() is gateway.Sharing.AWAY,
        )
    }


def places(request: HttpRequest, standing: Standing) -> Iterator[NavItem]:
    """Yield what a person may open, the most used first."""
    for label, icon, name, prefix in PLACES:
        url = _address(name)
        capability = required(name)
        if url is not None and capability is not None and standing.may(capability):
            is_current = request.path.startswith(prefix)
            yield NavItem(label, icon, url, is_current, is_last=label == "Settings")


def _address(name: str) -> str | None:
    try:
        return reverse(name)
    except NoReverseMatch:
        return None
