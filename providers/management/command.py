"""What our commands share: subcommands, `--json`, and errors that name the argument."""

from __future__ import annotations

import json
import re
from argparse import ArgumentParser
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def duration(text: str) -> timedelta | None:
    """Read `90s`, `30m`, `12h` or `7d`; None: it is none of these, or no time at all."""
    match = re.fullmatch(r"([1-9]\d{0,5})([smhd])", text)
    return timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else None


class ScriptCommand(BaseCommand):
    """A command for scripts: safe to repeat, one JSON object on stdout with `--json`."""

    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        self.add_actions(actions)

    def add_actions(self, actions: Any) -> None:
        """Add each action with `action`."""
        raise NotImplementedError

    @staticmethod
    def action(actions: Any, name: str, words: str) -> ArgumentParser:
        parser: ArgumentParser = actions.add_parser(name, help=words, description=words)
        parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
        return parser

    def answer(self, options: Mapping[str, Any], value: Mapping[str, Any], words: str) -> None:
        self.stdout.write(json.dumps(value) if options["json"] else words)

    @staticmethod
    def refusal(field: str, message: str, *, positional: str = "name") -> CommandError:
        """Name the argument as it was typed."""
        argument = positional.upper() if field == positional else "--" + field.replace("_", "-")
        return CommandError(f"{argument}: {message}")
