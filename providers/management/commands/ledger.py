"""`manage.py ledger check`: do the counters say what the rows say?"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from providers.ledger import check


class Command(BaseCommand):
    help = "Compare the ledger's counters with its rows. Exit code 1: they differ."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        one = verbs.add_parser("check", help="compare every window; changes nothing")
        one.add_argument("--json", action="store_true", help="answer as JSON")

    def handle(self, **options: Any) -> None:
        result = check.run()
        if options["json"]:
            self.stdout.write(json.dumps({"is_clean": result.is_clean, **asdict(result)}))
        else:
            self.stdout.write(_in_words(result))
        if not result.is_clean:
            raise SystemExit(1)


def _in_words(result: check.CheckResult) -> str:
    counted = f"{result.windows} windows compared, {result.open_holds} calls in flight."
    if result.is_clean:
        return f"The books are right: {counted}"
    return "\n".join([f"The books are wrong: {counted}", *result.differences])
