"""`manage.py rekey`: wrap everything that is sealed under the ring's current key."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from providers import rekey
from providers.credentials import ring
from providers.credentials.ring import RingUnreadable


class Command(BaseCommand):
    help = (
        "Wrap the data keys of all sealed secrets under the ring's current key, in batches, while "
        "everything runs. Killed half way, run it again. Exit code 1: something does not open."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--new-key", action="store_true", help="first put a new key at the head of the ring"
        )
        parser.add_argument("--batch", type=int, default=rekey.BATCH, metavar="N")
        parser.add_argument("--json", action="store_true", help="one JSON object on stdout")

    def handle(self, *_: Any, **options: Any) -> None:
        if not 1 <= options["batch"] <= 10_000:
            raise CommandError("--batch: from 1 to 10,000.")
        try:
            if options["new_key"]:
                ring.extend()
            keys = ring.load()
        except RingUnreadable as fault:
            raise CommandError(str(fault)) from None
        ended: dict[str, rekey.Progress] = {}
        for progress in rekey.rekey(keys, options["batch"]):
            ended[progress.kind] = progress
            self.stderr.write(f"{progress.kind}: {progress.done} of {progress.total}")
            self.stderr.flush()
        self._tell(keys, ended, as_json=options["json"])
        if any(progress.broken for progress in ended.values()):
            raise SystemExit(1)

    def _tell(self, keys: ring.KeyRing, ended: dict[str, rekey.Progress], *, as_json: bool) -> None:
        counts = rekey.counts()
        used = {name for by_key in counts.values() for name in by_key}
        unused = sorted(set(keys.keys) - used - {keys.current})
        if as_json:
            value = {
                "current": keys.current,
                "wrapped": {kind: progress.done for kind, progress in ended.items()},
                "broken": {kind: progress.broken for kind, progress in ended.items()},
                "counts": counts,
                "unused": unused,
            }
            self.stdout.write(json.dumps(value))
            return
        for kind, by_key in counts.items():
            told = ", ".join(f"{count} under {name}" for name, count in sorted(by_key.items()))
            self.stdout.write(f"{kind}: {told or 'none'}")
        for kind, progress in ended.items():
            if progress.broken:
                ids = ", ".join(map(str, progress.broken[:20]))
                self.stdout.write(f"{kind} that do not open, save them again: {ids}")
        if unused:
            self.stdout.write(
                f"Nothing needs {', '.join(unused)} any more. Restart every process, run this "
                "again, then take it out of the ring."
            )
