"""`manage.py audit verify`: is the chain of the audit log whole?"""

from __future__ import annotations

from typing import Any

from providers import audit
from providers.management.command import ScriptCommand


class Command(ScriptCommand):
    help = "The audit log. Exit code 1: a row was altered or taken out."

    def add_actions(self, actions: Any) -> None:
        self.action(actions, "verify", "walk the whole chain; changes nothing")

    def handle(self, **options: Any) -> None:
        found = audit.verify()
        facts = {
            "is_whole": found.is_whole,
            "entries": found.entries,
            "broken_at": found.broken_at,
        }
        self.answer(options, facts, _in_words(found))
        if not found.is_whole:
            raise SystemExit(1)


def _in_words(found: audit.Verdict) -> str:
    if found.is_whole:
        return f"The audit log is whole: {found.entries} entries."
    return (
        f"The audit log is broken at entry {found.broken_at}; "
        f"the {found.entries} before it are as they were written."
    )
