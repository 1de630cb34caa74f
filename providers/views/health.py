"""The health page: is anybody hurt, which deployment is it, what does the system do about it."""

from __future__ import annotations

from datetime import timedelta

from asgiref.sync import sync_to_async
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from providers import gateway
from providers.health import board, panel, pulse
from providers.health.probe import record
from providers.models import Deployment
from providers.people.permissions import Capability
from providers.people.standing import standing_of


@require_safe
@never_cache
def health(request: HttpRequest) -> HttpResponse:
    return render(request, "providers/health.html", _shown(request))


@require_safe
@never_cache
def health_board(request: HttpRequest) -> HttpResponse:
    """Give the part of the page that changes, for polling."""
    return render(request, "providers/health_board.html", _shown(request))


@require_safe
@never_cache
def health_pill(request: HttpRequest) -> HttpResponse:
    """Give the state in a word for the bar of every page; everybody may know it."""
    standing, now = standing_of(request), timezone.now()
    team_id = standing.team.pk if standing.team else None
    return render(
        request,
        "components/system_pill.html",
        {
            "verdict": pulse.read(now, gateway.breakers).verdict_for(team_id, now),
            "may_see_health": standing.may(Capability.SEE_HEALTH),
        },
    )


@require_POST
async def health_test(request: HttpRequest, deployment_id: int) -> HttpResponse:
    """Probe one deployment now. The answer is kept and told as a message."""
    name = await sync_to_async(_name)(deployment_id)
    checked = await gateway.probe_one(deployment_id)
    if checked is None:
        messages.warning(request, f"{name} is switched off, so it was not asked.")
    else:
        await sync_to_async(record)({deployment_id: checked})
        tell = messages.success if checked.ok else messages.error
        tell(request, f"{name}: {checked.message} ({checked.latency_ms} ms)")
    return redirect("providers:health")


def _shown(request: HttpRequest) -> dict[str, object]:
    now, numbers = timezone.now(), gateway.health_numbers()
    page = board.read(now, gateway.breakers())
    shown = panel.read(now, page, numbers.ladder, numbers.caps, numbers.every_s)
    # Pill and banner above the board are of its moment, too.
    pulse.read(now, gateway.breakers, fresh=timedelta())
    return {
        "page": page,
        "panel": shown,
        "sharing": gateway.sharing(),
        "may_steer": standing_of(request).may(Capability.STEER_HEALTH),
    }


def _name(deployment_id: int) -> str:
    found = Deployment.objects.select_related("provider").filter(pk=deployment_id).first()
    if found is None:
        raise Http404
    return f"{found.provider.name}/{found.model}"
