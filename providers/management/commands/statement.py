"""`manage.py statement`: what each team spent in a month, numbered and frozen."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.core.management.base import CommandError

from providers.engine.usage import dollars
from providers.ledger.money import usd
from providers.management.command import ScriptCommand
from providers.models import Team
from providers.reports.statements import making
from providers.reports.statements.making import CannotState, Made


class Command(ScriptCommand):
    help = "Make statements of months."

    def add_actions(self, actions: Any) -> None:
        make = self.action(
            actions, "make", "state a month that is over, of every team or one; safe to repeat"
        )
        make.add_argument("--month", required=True, metavar="YYYY-MM")
        make.add_argument("--team", metavar="SLUG")

    def handle(self, **options: Any) -> None:
        try:
            made = making.make(_month(options["month"]), _team(options["team"]))
        except CannotState as fault:
            raise self.refusal(fault.field, fault.message) from None
        self.answer(
            options,
            {"statements": [_facts(one) for one in made]},
            "\n".join(_line(one) for one in made) or "No team asked for anything in that month.",
        )


def _month(text: str) -> date:
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        raise CannotState("month", f"{text!r} is no month; write it as 2026-10.") from None


def _team(slug: str | None) -> Team | None:
    if slug is None:
        return None
    team = Team.objects.filter(slug=slug).first()
    if team is None:
        raise CommandError(f"--team: there is no team {slug!r}.")
    return team


def _facts(one: Made) -> Mapping[str, Any]:
    statement = one.statement
    return {
        "number": statement.number,
        "team": statement.team_name or None,
        "month": f"{statement.month:%Y-%m}",
        "cost_usd": dollars(statement.cost_nano),
        "is_new": one.is_new,
    }


def _line(one: Made) -> str:
    statement = one.statement
    stands = "" if one.is_new else ", stands already"
    who = statement.team_name or "no team"
    what = f"{who}, {statement.month:%Y-%m}, {usd(statement.cost_nano)}"
    return f"No. {statement.number}: {what}{stands}"
