"""`manage.py bootstrap`: an owner and a team without the wizard."""

from __future__ import annotations

import json
import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from providers.people import accounts
from providers.people.errors import PeopleError


class Command(BaseCommand):
    help = "Make an owner and a team without the set-up wizard. Safe to repeat."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--email", required=True, help="the owner's e-mail address")
        parser.add_argument(
            "--password-env",
            required=True,
            metavar="VAR",
            help="name of the environment variable that holds the password",
        )
        parser.add_argument("--team", default=accounts.FIRST_TEAM, help="the team's name")
        parser.add_argument("--json", action="store_true", help="answer as JSON")

    def handle(self, *, email: str, password_env: str, team: str, **options: Any) -> None:
        password = os.environ.get(password_env, "")
        if not password:
            raise CommandError(
                f"--password-env: the variable {password_env} is empty or not set. "
                f"Put the password there: {password_env}=... manage.py bootstrap ..."
            )
        try:
            done = accounts.bootstrap(email=email, password=password, team=team)
        except PeopleError as fault:
            raise CommandError(_named(fault)) from None
        self.stdout.write(_as_json(done) if options["json"] else _in_words(done))


def _named(fault: PeopleError) -> str:
    argument = {"password": "--password-env"}.get(fault.field, f"--{fault.field}")
    return f"{argument}: {fault.message}" if fault.field else fault.message


def _as_json(done: accounts.Bootstrapped) -> str:
    return json.dumps({
        "email": done.owner.email,
        "role": done.owner.role,
        "team": done.team.slug,
        "created": done.is_new,
    })


def _in_words(done: accounts.Bootstrapped) -> str:
    who = f"{done.owner.email} owns this installation, in the team {done.team.name!r}."
    return who if done.is_new else f"{who} Nothing was changed; the password is as it was."
