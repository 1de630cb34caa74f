"""`manage.py budget`: what a scope may spend."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from providers.ledger import balances, budgets
from providers.ledger.balances import Balance
from providers.ledger.money import to_decimal, usd

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Command(BaseCommand):
    help = "Set what the organisation, a team, a user, a key or a tag may spend. Safe to repeat."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        one = verbs.add_parser("set", help="make or change one budget")
        one.add_argument(
            "--scope", required=True, help="org, team:NAME, user:EMAIL, key:PREFIX or tag:NAME"
        )
        one.add_argument("--limit", required=True, metavar="USD", help="such as 20 or 12.50")
        one.add_argument("--period", default="month", help="day, week, month or total")
        one.add_argument("--time-zone", help="such as Europe/Berlin; default: the organisation's")
        force = one.add_mutually_exclusive_group()
        force.add_argument(
            "--hard", dest="is_hard", action="store_true", help="refuse at the limit (default)"
        )
        force.add_argument(
            "--soft", dest="is_hard", action="store_false", help="count, never refuse"
        )
        force.add_argument(
            "--degrade-to", metavar="ROUTE", default="", help="a cheaper route answers at the limit"
        )
        one.set_defaults(is_hard=True)
        one.add_argument(
            "--starts-on", metavar="DAY", help="monday to sunday of a week, 1 to 28 of a month"
        )
        one.add_argument(
            "--thresholds", metavar="PERCENT,...", help="told once a period; default 50,80,100"
        )
        one.add_argument("--json", action="store_true", help="answer as JSON")

    def handle(self, *, scope: str, limit: str, **options: Any) -> None:
        try:
            budget = budgets.set_budget(
                scope=budgets.parse_scope(scope),
                limit_usd=_dollars(limit),
                period=options["period"],
                is_hard=options["is_hard"] and not options["degrade_to"],
                policy=_policy(options),
            )
        except budgets.InvalidBudget as fault:
            argument = fault.field.replace("_", "-")
            raise CommandError(f"--{argument}: {fault.message}") from None
        (balance,) = [one for one in balances.all() if one.budget_id == budget.pk]
        self.stdout.write(_as_json(balance) if options["json"] else _in_words(balance))


def _dollars(text: str) -> Decimal:
    try:
        return Decimal(text.removeprefix("$"))
    except InvalidOperation:
        raise budgets.InvalidBudget(
            "limit", f"'{text}' is not an amount of dollars. Write 20 or 12.50."
        ) from None


def _policy(options: dict[str, Any]) -> budgets.Policy:
    return budgets.Policy(
        degrade_to=options["degrade_to"],
        time_zone=options["time_zone"],
        starts_on=_start_day(options["starts_on"]),
        thresholds=_percents(options["thresholds"]),
    )


def _start_day(text: str | None) -> int | None:
    if text is None:
        return None
    if text.lower() in _WEEKDAYS:
        return _WEEKDAYS.index(text.lower()) + 1
    if not text.isdecimal():
        raise budgets.InvalidBudget("starts_on", f"'{text}' is not a day such as monday or 15.")
    return int(text)


def _percents(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    words = [word.strip().removesuffix("%") for word in text.split(",") if word.strip()]
    if not all(word.isdecimal() for word in words):
        raise budgets.InvalidBudget("thresholds", f"'{text}' is not like 50,80,100.")
    return tuple(int(word) for word in words)


def _as_json(balance: Balance) -> str:
    facts = asdict(balance)
    for name in ("limit", "spent", "held"):
        facts[f"{name}_usd"] = str(to_decimal(facts.pop(f"{name}_nano")))
    return json.dumps({"name": balance.name, **facts}, default=str)


def _in_words(balance: Balance) -> str:
    kind = "hard limit" if balance.is_hard else "soft limit"
    if balance.degrade_to:
        kind = f"then {balance.degrade_to} answers"
    resets = (
        f"resets {balance.resets_at:%Y-%m-%d %H:%M} UTC" if balance.resets_at else "never resets"
    )
    return (
        f"The {balance.name} is {usd(balance.limit_nano)} ({kind}, {resets});"
        f" spent {usd(balance.spent_nano)}, held {usd(balance.held_nano)}."
    )
