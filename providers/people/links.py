"""One-time links: 256 random bits in the address, only their digest in the database."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from providers.models import SetupLink, User

LIFETIME = timedelta(days=7)


def issue(user: User | None) -> str:
    """Make a link and void the older ones for the same purpose. The token is not kept.

    `user` None: it makes the first owner.
    """
    SetupLink.objects.filter(user=user, used_at=None).delete()
    token = secrets.token_urlsafe(32)
    SetupLink.objects.create(digest=_digest(token), user=user, expires_at=timezone.now() + LIFETIME)
    return token


def find(token: str) -> SetupLink | None:
    """Look up a link that can be used; None for used, expired, voided, never made."""
    return SetupLink.objects.select_related("user").filter(_open(token, timezone.now())).first()


def redeem(link: SetupLink) -> bool:
    """Use it up; False when somebody else just did."""
    now = timezone.now()
    live = SetupLink.objects.filter(pk=link.pk, used_at=None, expires_at__gt=now)
    return live.update(used_at=now) == 1


def _open(token: str, now: datetime) -> Q:
    return Q(digest=_digest(token), used_at=None, expires_at__gt=now)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
