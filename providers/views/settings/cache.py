"""The response cache: what lies in it, what it was good for, and throwing it away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.timesince import timesince
from django.views.decorators.http import require_POST, require_safe

from providers.answer_cache import purges, shelf, use
from providers.answer_cache.shelf import Lot, ShelfAway
from providers.answer_cache.use import Use
from providers.models import Team
from providers.people.standing import Standing, standing_of
from providers.views.forms import go_on, say_refused
from providers.views.settings.sections import show

CACHE = "providers:cache"
DAYS = 30


@dataclass(frozen=True)
class Row:
    """One team's answers on one route. `share` None: nobody asked within the days."""

    team: Team
    route: str
    answers: int = 0
    size: int = 0
    hits: int = 0
    requests: int = 0
    saved_nano: int = 0

    @property
    def share(self) -> float | None:
        return self.hits / self.requests if self.requests else None


@dataclass(frozen=True)
class CachePage:
    """`fault`: why nobody knows what lies in the shared tier; empty: it is known."""

    rows: list[Row]
    total: Row
    lifetime: str
    days: int
    is_local: bool
    is_shared: bool
    is_redis: bool
    sees_all: bool
    fault: str = ""


@require_safe
def cache_page(request: HttpRequest) -> HttpResponse:
    standing = standing_of(request)
    teams = _teams(standing)
    ids = None if standing.is_owner else list(teams)
    fault, lots = "", []
    try:
        lots = shelf.lots(ids)
    except ShelfAway as away:
        fault = str(away)
    now = timezone.now()
    used = use.since(now - timedelta(days=DAYS), ids)
    rows = _rows(teams, lots, used)
    cache = settings.GAIWEB.cache
    page = CachePage(
        rows=[row for row in rows if row.answers or row.hits],
        total=_total(rows),
        lifetime=timesince(now - timedelta(seconds=cache.ttl_s), now),
        days=DAYS,
        is_local=cache.local,
        is_shared=cache.shared,
        is_redis=settings.GAIWEB.redis_url is not None,
        sees_all=standing.is_owner,
        fault=fault,
    )
    return show(request, "cache", page)


@require_POST
def purge(request: HttpRequest) -> HttpResponse:
    """Throw away the answers of `team`, on `route`; an owner may leave out both."""
    standing = standing_of(request)
    team_id, route = request.POST.get("team"), request.POST.get("route") or None
    team = None
    if team_id or not standing.is_owner:
        allowed = Team.objects.filter(pk__in=_teams(standing))
        team = get_object_or_404(allowed, pk=team_id if (team_id or "").isdecimal() else None)
    try:
        count = purges.purge(standing.user, team, route)
    except ShelfAway as fault:
        return say_refused(request, CACHE, f"No process gives them out again. {fault}")
    answers = "answer is" if count == 1 else "answers are"
    return go_on(request, CACHE, f"{count} {answers} thrown away, in every process.")


def _teams(standing: Standing) -> dict[int, Team]:
    """Every team for an owner, else the active one."""
    active = (standing.team,) if standing.team is not None else ()
    return {team.pk: team for team in (standing.teams if standing.is_owner else active)}


def _rows(teams: dict[int, Team], lots: list[Lot], used: list[Use]) -> list[Row]:
    by_lot = {(lot.team_id, lot.route): lot for lot in lots}
    by_use = {(each.team_id, each.route): each for each in used}
    found = by_lot.keys() | by_use.keys()
    rows: list[Row] = []
    for team_id, route in sorted(found):
        if team_id not in teams:
            continue
        lot = by_lot.get((team_id, route), Lot(team_id, route, 0, 0))
        was = by_use.get((team_id, route), Use(team_id, route, 0, 0, 0))
        rows.append(
            Row(
                teams[team_id], route, lot.answers, lot.size, was.hits, was.requests, was.saved_nano
            )
        )
    return sorted(rows, key=lambda row: (row.team.name, -row.saved_nano, row.route))


def _total(rows: list[Row]) -> Row:
    return Row(
        team=Team(),
        route="",
        answers=sum(row.answers for row in rows),
        size=sum(row.size for row in rows),
        hits=sum(row.hits for row in rows),
        requests=sum(row.requests for row in rows),
        saved_nano=sum(row.saved_nano for row in rows),
    )
