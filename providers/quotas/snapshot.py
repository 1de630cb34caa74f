"""Quotas as the engine's types: rows when they change, the tokens of today every few seconds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from providers.engine.quotas import Own, Today
from providers.models import Quota
from providers.quotas import today


def read() -> Mapping[str, Own]:
    """Read all rows by scope. Sync: it asks the database."""
    return {
        row.scope: Own(row.rpm, row.tpm, row.parallel, row.daily_tokens)
        for row in Quota.objects.all()
    }


def read_today(now: datetime) -> Today:
    """Read what was used of the limits a day. Sync: it asks the database."""
    scopes = today.limited()
    span, zone = today.day_at(now)
    ends = span.ends_at or now
    return Today(today.used(scopes, span.starts_at), ends, zone)
