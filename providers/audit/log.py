"""The log as people read it: newest first, by who, what, when and on what; and as CSV."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import orjson
from django.db.models import QuerySet

from providers.downloads import csv_text
from providers.models import AuditEntry

COLUMNS = ("id", "time", "who", "what", "target", "before", "after", "why")
_PIECE = 1000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Empty or None: any. `who` and `target` are parts of the text, `what` a noun or a whole deed.

    From `since` up to and without `until`.
    """

    who: str = ""
    what: str = ""
    target: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    """`older` is the id to go on below; None: that was the oldest."""

    entries: list[AuditEntry]
    older: int | None


def sheet(wanted: Wanted, *, below: int | None, rows: int) -> Sheet:
    """Read the newest `rows` entries with an id below that one; None: from the newest."""
    found = list(_below(wanted, below)[: rows + 1])
    return Sheet(found[:rows], found[rows - 1].pk if len(found) > rows else None)


def deeds() -> list[str]:
    """Every kind of deed in the log, by name."""
    return list(AuditEntry.objects.order_by("action").values_list("action", flat=True).distinct())


def csv_pieces(wanted: Wanted) -> Iterator[str]:
    """Yield the header, then a thousand entries at a time; each piece is a query of its own."""
    yield csv_text([COLUMNS])
    below: int | None = None
    while True:
        page = sheet(wanted, below=below, rows=_PIECE)
        if page.entries:
            yield csv_text(_cells(entry) for entry in page.entries)
        if page.older is None:
            return
        below = page.older


def _below(wanted: Wanted, below: int | None) -> QuerySet[AuditEntry]:
    found = AuditEntry.objects.order_by("-id")
    if below is not None:
        found = found.filter(id__lt=below)
    if wanted.who:
        found = found.filter(actor__icontains=wanted.who)
    if wanted.what:
        found = found.filter(action__startswith=wanted.what)
    if wanted.target:
        found = found.filter(target__icontains=wanted.target)
    if wanted.since is not None:
        found = found.filter(at__gte=wanted.since)
    if wanted.until is not None:
        found = found.filter(at__lt=wanted.until)
    return found


def _cells(entry: AuditEntry) -> tuple[object, ...]:
    at = entry.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    facts = ["" if each is None else orjson.dumps(each).decode() for each in _facts(entry)]
    return (entry.pk, at, entry.actor, entry.action, entry.target, *facts, entry.reason)


def _facts(entry: AuditEntry) -> tuple[object, object]:
    return entry.before, entry.after
