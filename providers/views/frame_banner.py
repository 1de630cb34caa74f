"""The banner under the bar of every page: what is reduced, since when, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from providers import gateway
from providers.health import pulse, rungs
from providers.health.pulse import Pulse
from providers.health.rungs import Banner
from providers.people.permissions import Capability
from providers.people.standing import Standing, standing_of


@dataclass(frozen=True)
class Told:
    """`banner` None: everything is offered. `forced` breakers are told to operators alone."""

    banner: Banner | None = None
    forced: int = 0
    may_see_health: bool = False


@require_safe
@never_cache
def level_banner(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    found = pulse.read(now, gateway.breakers)
    told = told_to(standing_of(request), found, now)
    return render(request, "components/level_banner.html", {"told": told})


def told_to(standing: Standing, found: Pulse | None, now: datetime) -> Told:
    may_see_health = standing.may(Capability.SEE_HEALTH)
    if found is None:
        return Told(may_see_health=may_see_health)
    team_id = standing.team.pk if standing.team else None
    policy, caps = gateway.policy_of(team_id), gateway.health_numbers().caps
    forced = [each for each in found.levels.forced.values() if each.until and each.until > now]
    return Told(
        banner=rungs.banner(team_id, found.levels, caps.of(policy), now),
        forced=len(forced) if may_see_health else 0,
        may_see_health=may_see_health,
    )
