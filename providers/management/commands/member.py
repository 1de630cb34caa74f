"""`manage.py member`: add somebody to a team, or make a new link for their password."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from providers.models import User
from providers.people import accounts, links, members
from providers.people.errors import PeopleError
from providers.people.teams import find_team


class Command(BaseCommand):
    help = "Add somebody to a team, or make a new one-time link for their password."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        add = verbs.add_parser("add", help="add to a team, or change the role; safe to repeat")
        add.add_argument("--email", required=True)
        add.add_argument("--team", required=True, help="name or slug of the team")
        add.add_argument("--role", required=True, help=", ".join(members.ROLES))
        add.add_argument("--json", action="store_true", help="answer as JSON")
        link = verbs.add_parser("link", help="a one-time link to set a new password")
        link.add_argument("--email", required=True)
        link.add_argument("--json", action="store_true", help="answer as JSON")

    def handle(self, *, verb: str, **options: Any) -> None:
        try:
            answer = _add(**options) if verb == "add" else _link(options["email"])
        except PeopleError as fault:
            named = f"--{fault.field}: " if fault.field else ""
            raise CommandError(f"{named}{fault.message}") from None
        self.stdout.write(json.dumps(answer) if options["json"] else _in_words(answer))


def _add(*, email: str, team: str, role: str, **_: Any) -> dict[str, Any]:
    added = members.add_member(email=email, team=find_team(team), role=role)
    return {
        "email": added.membership.user.email,
        "team": added.membership.team.slug,
        "role": members.role_of(added.membership),
        "created": added.is_new,
        "invitation": _address(added.link),
    }


def _link(email: str) -> dict[str, Any]:
    user = User.objects.filter(email=email.strip().lower()).first()
    if user is None:
        raise PeopleError(
            f"Nobody has the address {email!r}. "
            f"Add them: manage.py member add --email {email} --team TEAM --role member",
            field="email",
        )
    return {"email": user.email, "invitation": _address(accounts.password_link(user))}


def _address(path: str | None) -> str | None:
    public_url = getattr(settings.GAIWEB, "public_url", None)
    return path and f"{str(public_url or '').rstrip('/')}{path}"


def _in_words(answer: dict[str, Any]) -> str:
    lines = []
    if "role" in answer:
        lines.append(f"{answer['email']} is {answer['role']} in {answer['team']}.")
    if answer["invitation"]:
        days = links.LIFETIME.days
        lines.append(f"Works once, for {days} days, to set a password: {answer['invitation']}")
    return "\n".join(lines)
