"""`manage.py quota`: what one key, person or team may ask."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from providers.ledger.budgets import InvalidBudget, parse_scope
from providers.quotas import kept
from providers.quotas.kept import Allowance

_NAMES = ("rpm", "tpm", "parallel", "daily_tokens")


class Command(BaseCommand):
    help = "Set what one key, person or team may ask; what is not named is as configured."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        one = verbs.add_parser("set", help="the whole quota of one; nothing named removes it")
        one.add_argument("--scope", required=True, help="key:PREFIX, user:EMAIL or team:NAME")
        one.add_argument("--rpm", type=int, metavar="N", help="requests a minute")
        one.add_argument("--tpm", type=int, metavar="N", help="tokens a minute")
        one.add_argument("--parallel", type=int, metavar="N", help="requests open at once")
        one.add_argument("--daily-tokens", type=int, metavar="N", help="tokens a day")
        one.add_argument("--json", action="store_true", help="answer as JSON")

    def handle(self, *, scope: str, **options: Any) -> None:
        wished = Allowance(**{name: options[name] for name in _NAMES})
        try:
            found = parse_scope(scope)
            row = kept.put(found, wished)
        except InvalidBudget as fault:
            raise CommandError(f"--{fault.field.replace('_', '-')}: {fault.message}") from None
        values = {name: getattr(wished, name) for name in _NAMES}
        if options["json"]:
            self.stdout.write(json.dumps({"scope": scope, "is_set": row is not None, **values}))
            return
        own = ", ".join(f"{name} {value:,}" for name, value in values.items() if value is not None)
        self.stdout.write(f"The quota of {found.label}: {own or 'as configured for everybody'}.")
