"""`manage.py cache`: what lies in the response cache, and throwing it away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError

from providers.answer_cache import purges, shelf
from providers.management.command import ScriptCommand
from providers.models import Team


class Command(ScriptCommand):
    help = "Show the response cache, or purge it of a team's or a route's answers."

    def add_actions(self, actions: Any) -> None:
        self.action(actions, "show", "list the shared tier by team and route")
        purge = self.action(actions, "purge", "throw answers away, in every process")
        purge.add_argument("--team", help="of this team; default: of every team")
        purge.add_argument("--route", help="of this route; default: of every route")

    def handle(self, *, action: str, **options: Any) -> None:
        try:
            self._show(options) if action == "show" else self._purge(options)
        except shelf.ShelfAway as fault:
            raise CommandError(str(fault)) from None

    def _show(self, options: Mapping[str, Any]) -> None:
        names = dict(Team.objects.values_list("id", "name"))
        lots = shelf.lots()
        facts = [{**asdict(lot), "team": names.get(lot.team_id)} for lot in lots]
        words = [
            f"{names.get(lot.team_id, 'a deleted team')} · {lot.route}: "
            f"{lot.answers} answers, {lot.size:,} bytes"
            for lot in lots
        ]
        self.answer(options, {"shared": facts}, "\n".join(words) or "The shared tier is empty.")

    def _purge(self, options: Mapping[str, Any]) -> None:
        team = None if options["team"] is None else _team(options["team"])
        purged = purges.purge(None, team, options["route"])
        facts = {"purged": purged, "team": team and team.name, "route": options["route"]}
        self.answer(
            options,
            facts,
            f"{purged} answers are thrown away. No process gives out older ones of "
            f"{team.name if team else 'any team'} on {options['route'] or 'any route'}.",
        )


def _team(name: str) -> Team:
    for team in Team.objects.filter(name__iexact=name) or Team.objects.filter(slug=name):
        return team
    known = ", ".join(Team.objects.order_by("name").values_list("name", flat=True)[:20])
    raise CommandError(f"--team: there is no team '{name}'. Teams: {known or 'none yet'}.")
