"""Throw answers away: in every process from this moment on, and from where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from providers import audit
from providers.answer_cache import shelf
from providers.engine.ports import Purge
from providers.models import CachedAnswer, CachePurge, KeptReply, Team, User
from providers.state import idempotency


def purge(user: User | None, team: Team | None = None, route: str | None = None) -> int:
    """Answer how many lay in the shared tier. `team`, `route` None: of all of them.

    Every process hears of the row and gives none of them out again. Raises ShelfAway, after it.
    """
    team_id = None if team is None else team.pk
    with transaction.atomic():
        CachePurge.objects.create(team_id=team_id, route=route, by=user)
        audit.write(user, "cache.purge", _target(team, route))
    return shelf.clear(team_id, route)


def in_force() -> Sequence[Purge]:
    """List those that may still cover something. Sync: it asks the database."""
    rows = CachePurge.objects.filter(at__gt=_oldest(timezone.now()))
    return [Purge(row.at, row.team_id, row.route) for row in rows.order_by("at")]


def sweep(now: datetime) -> int:
    """Delete what is too old or too much; answer how many answers. Safe to repeat."""
    CachePurge.objects.filter(at__lt=_oldest(now)).delete()
    KeptReply.objects.filter(at__lt=now - idempotency.KEPT).delete()
    old, _ = CachedAnswer.objects.filter(kept_at__lt=_oldest(now)).delete()
    return old + shelf.keep_within(settings.GAIWEB.cache.shared_bytes)


def _oldest(now: datetime) -> datetime:
    return now - timedelta(seconds=settings.GAIWEB.cache.stale_ttl_s)


def _target(team: Team | None, route: str | None) -> str:
    return f"{team.name if team else 'every team'} · {route or 'every route'}"
