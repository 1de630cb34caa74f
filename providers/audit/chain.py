"""The chain: rows are added at its end and checked from its beginning.

Each row's digest covers the one before it, so that nobody can alter a row or take one out of the
middle without being found out by `manage.py audit verify`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from django.db import connection, transaction
from django.utils import timezone

from providers.models import AuditEntry, User

Facts = Mapping[str, Any]

FIRST = bytes(32)
_LOCK = 0x6761695F617564  # "gai_aud"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`broken_at` is the id of the first row that does not fit; None: the chain is whole."""

    entries: int
    broken_at: int | None = None

    @property
    def is_whole(self) -> bool:
        return self.broken_at is None


def write(
    user: User | None,
    action: str,
    target: str,
    *,
    before: Facts | None = None,
    after: Facts | None = None,
    reason: str = "",
) -> AuditEntry:
    """Add a row; within the caller's transaction, so that the deed and its row stand together.

    `user` None: a command or a task of this machine. Facts are JSON, never a secret or a prompt.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        # One writer at a time: a chain has no forks.
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        last = AuditEntry.objects.order_by("-id").values_list("digest", flat=True).first()
        entry = AuditEntry(
            at=timezone.now(),
            user=user,
            actor=user.email if user is not None else "this machine",
            action=action,
            target=target,
            before=_plain(before),
            after=_plain(after),
            reason=reason,
            previous=bytes(last) if last is not None else FIRST,
        )
        entry.digest = digest_of(entry)
        entry.save(force_insert=True)
    return entry


def write_change(
    user: User | None, action: str, target: str, before: Facts | None, after: Facts | None
) -> AuditEntry | None:
    """Add a row of what differs; none where nothing does. None: it was, or is, not there."""
    if before == after:
        return None
    old, new = before, after
    if before is not None and after is not None:
        differing = {name for name in {*before, *after} if before.get(name) != after.get(name)}
        old, new = ({name: facts.get(name) for name in differing} for facts in (before, after))
    return write(user, action, target, before=old, after=new)


def verify() -> Verdict:
    """Walk the whole chain. Sync; reads every row."""
    count, previous = 0, FIRST
    for entry in _rows():
        fits = bytes(entry.previous) == previous and bytes(entry.digest) == digest_of(entry)
        if not fits:
            return Verdict(count, entry.pk)
        count, previous = count + 1, bytes(entry.digest)
    return Verdict(count)


def digest_of(entry: AuditEntry) -> bytes:
    """Digest a row: SHA-256 over the digest before it and its content as sorted JSON."""
    content = {
        "at": _moment(entry.at),
        "user": entry.user_id,
        "actor": entry.actor,
        "action": entry.action,
        "target": entry.target,
        "before": entry.before,
        "after": entry.after,
        "reason": entry.reason,
    }
    told = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(bytes(entry.previous) + told).digest()


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _plain(facts: Facts | None) -> Any:
    """Make it what a read will give back: JSON's own types only."""
    return None if facts is None else orjson.loads(orjson.dumps(dict(facts)))


def _rows() -> Iterator[AuditEntry]:
    return AuditEntry.objects.order_by("id").iterator(chunk_size=500)
