"""Wrap every data key anew under the ring's current key, while everything goes on.

The secrets stay as they are sealed. Each batch is a transaction of its own: who kills this half
way runs it again, and it goes on with what is left. Kept answers are not wrapped: under a new key
they are not found any more, are asked anew, and leave with their age.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import QuerySet

from providers import audit
from providers.credentials.envelope import Bound, Envelope, EnvelopeBroken, rewrap
from providers.credentials.held import binding_of
from providers.credentials.ring import KeyRing, RingUnreadable
from providers.models import Credential, Tool
from providers.tools.secret import ToolBinding

BATCH = 100
Rows = QuerySet[Credential] | QuerySet[Tool]


@dataclass(slots=True)
class Progress:
    """Of one kind of sealed things. `broken` are the ids of those that do not open."""

    kind: str
    total: int
    done: int = 0
    broken: list[int] = field(default_factory=list)


def rekey(ring: KeyRing, batch: int = BATCH) -> Iterator[Progress]:
    """Go through all kinds; yield after each batch, the same object for the same kind."""
    for kind in KINDS:
        yield from _all_of(kind, ring, batch)


def counts() -> Mapping[str, Mapping[str, int]]:
    """Count sealed things by kind and by the name of the ring's key that wraps them."""
    return {kind: _by_key(rows()) for kind, rows in KINDS.items()}


def _credentials() -> QuerySet[Credential]:
    return Credential.objects.all()


def _tools() -> QuerySet[Tool]:
    return Tool.objects.exclude(ring_key="")


KINDS: Mapping[str, Callable[[], Rows]] = {"credentials": _credentials, "tool secrets": _tools}


def _all_of(kind: str, ring: KeyRing, batch: int) -> Iterator[Progress]:
    rows = KINDS[kind]().exclude(ring_key=ring.current)
    progress = Progress(kind, rows.count())
    last = 0
    while True:
        with transaction.atomic():
            # A key that is being revoked meanwhile is waited for, and is then not there.
            found: list[Credential | Tool] = list(
                rows.filter(pk__gt=last).select_for_update().order_by("pk")[:batch]
            )
            if not found:
                break
            for row in found:
                _wrap(row, ring, progress)
        last = found[-1].pk
        yield progress
    if progress.done:
        after = {"ring_key": ring.current, "count": progress.done}
        audit.write(None, "ring.rekeyed", kind, after=after)
    yield progress


def _wrap(row: Credential | Tool, ring: KeyRing, progress: Progress) -> None:
    envelope = Envelope(bytes(row.sealed), bytes(row.wrapped_key), row.ring_key)
    try:
        wrapped = rewrap(envelope, _binding(row), ring)
    except (EnvelopeBroken, RingUnreadable):
        progress.broken.append(row.pk)
        return
    row.wrapped_key, row.ring_key = wrapped.wrapped_key, wrapped.ring_key
    row.save(update_fields=["wrapped_key", "ring_key"])
    progress.done += 1


def _binding(row: Credential | Tool) -> Bound:
    return binding_of(row) if isinstance(row, Credential) else ToolBinding(row.pk)


def _by_key(rows: Rows) -> dict[str, int]:
    return Counter(rows.order_by("ring_key").values_list("ring_key", flat=True))
