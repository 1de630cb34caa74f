"""Entries of a ledger as they would be after some traffic; written straight into the table."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from uuid_utils.compat import uuid7

from providers.models import (
    Deployment,
    Entry,
    Provider,
    Reservation,
    Route,
    RouteTarget,
    Team,
    User,
)

MILLION = 1_000_000
CENT = 10_000_000
"""Nano-dollars."""


def entry(
    *,
    at: datetime | None = None,
    user: User | None = None,
    team: Team | None = None,
    model: str = "openai/gpt-a",
    code: str = "",
    attempt: int = 1,
    **columns: Any,
) -> Entry:
    """One attempt of one cent; `code` makes it a failure that cost nothing."""
    provider, name = model.split("/", 1)
    failed: dict[str, Any] = {"status": "failed", "error_code": code, "cost_nano": 0}
    good = {"status": "ok", "cost_nano": CENT, "ttft_ms": 300, "duration_ms": 1200}
    facts = {
        "reservation_id": uuid.uuid4(),
        "attempt": attempt,
        "at": at or timezone.now(),
        "source": "gateway",
        "user": user,
        "team": team,
        "route": "default",
        "provider": provider,
        "model": name,
        "input_tokens": 100,
        "output_tokens": 20,
        "price_version": "test",
        **(failed if code else good),
        **columns,
    }
    return Entry.objects.create(**facts)


def request(*attempts: dict[str, Any], **same: Any) -> list[Entry]:
    """One request with its attempts in order."""
    id = uuid.uuid4()
    return [
        entry(**{**same, "reservation_id": id, "attempt": number, **facts})
        for number, facts in enumerate(attempts, start=1)
    ]


def open_reservation(*, at: datetime | None = None, **columns: Any) -> Reservation:
    at = at or timezone.now()
    facts = {"held_nano": CENT, "route": "default", "source": "gateway", **columns}
    return Reservation.objects.create(
        id=uuid7(), created_at=at, expires_at=at + timedelta(minutes=10), **facts
    )


def deployment(name: str, *, route: str = "default", **columns: Any) -> Deployment:
    """Make a deployment `provider/model`, last on a route."""
    provider, model = name.split("/", 1)
    owner, _ = Provider.objects.get_or_create(
        name=provider, defaults={"kind": "openai_chat", "base_url": "https://api.example.com/v1"}
    )
    made = Deployment.objects.create(provider=owner, model=model, **columns)
    on, _ = Route.objects.get_or_create(name=route)
    RouteTarget.objects.create(route=on, deployment=made, position=on.targets.count())
    return made


def traffic(count: int, **same: Any) -> Sequence[Entry]:
    return [entry(**same) for _ in range(count)]
