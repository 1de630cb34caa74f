"""A new key takes an old one's place, which stands in for a while and then goes."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from django.db import transaction

from providers import audit
from providers.credentials.held import (
    CredentialRefused,
    add,
    holder_of,
    named,
    revoke,
    told,
)
from providers.models import Credential, User

LONGEST_OVERLAP = timedelta(days=30)


@transaction.atomic
def rotate(
    old: Credential,
    secret: str,
    *,
    overlap: timedelta,
    now: datetime,
    by: User | None = None,
) -> Credential:
    """Add a key that takes the old one's share of the prompts; the caller has tried it.

    Until `now + overlap` the old one takes prompts only where the new one is refused; what is
    under way with it ends in peace. No overlap: it is revoked at once. Raises CredentialRefused,
    RingUnreadable.
    """
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise CredentialRefused(
            f"An overlap lasts from 0 to {LONGEST_OVERLAP.days} days.", field="overlap"
        )
    # Two processes that rotate the same key: the second finds it gone or ending.
    locked = Credential.objects.select_for_update(of=("self",)).filter(pk=old.pk, ends_at=None)
    if not locked.exists():
        raise CredentialRefused("This key was rotated or revoked meanwhile.", field="key")
    new = add(
        old.provider,
        secret,
        holder_of(old),
        label=old.label,
        weight=old.weight or 1.0,
        by=by,
    )
    if overlap:
        _let_stand_in(old, now + overlap, by)
    else:
        revoke(old, by=by, reason=f"Rotated: ...{new.hint} took its place.")
    return new


def end_overlaps(now: datetime) -> int:
    """Revoke those whose overlap is over; answers how many. Safe to repeat."""
    ended = 0
    for credential in Credential.objects.filter(ends_at__lte=now):
        with transaction.atomic():
            row = Credential.objects.select_for_update(skip_locked=True, of=("self",))
            mine = row.filter(pk=credential.pk).first()
            if mine is not None:
                revoke(mine, reason="Its overlap with a newer key is over.")
                ended += 1
    return ended


def due_by_provider(now: datetime, age: timedelta) -> dict[str, int]:
    """Count by provider's name those older than `age` that nobody has rotated."""
    old = Credential.objects.filter(created_at__lte=now - age, ends_at=None)
    return Counter(old.order_by("provider__name").values_list("provider__name", flat=True))


def _let_stand_in(old: Credential, until: datetime, by: User | None) -> None:
    before = told(old)
    old.weight, old.ends_at = 0.0, until
    old.save(update_fields=["weight", "ends_at"])
    audit.write_change(by, "credential.draining", named(old), before, told(old))
