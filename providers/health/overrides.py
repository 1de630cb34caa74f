"""What operators set by hand, a level or a breaker's word: with a reason, an end, on record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import models, transaction
from django.utils import timezone

from providers import audit
from providers.engine.levels import Level
from providers.health import levels
from providers.models import (
    BreakerChange,
    BreakerOrder,
    Deployment,
    LevelChange,
    LevelOverride,
    Team,
    User,
)

MINUTES = {15: "15 minutes", 60: "1 hour", 240: "4 hours"}
"""How long something may be set for: nothing is for ever."""

_RESET_HEARD_WITHIN = timedelta(hours=1)


class InvalidOverride(ValueError):
    """`field` is the name of the form's or the argument's."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


@dataclass(frozen=True, slots=True)
class Wish:
    """Who wants it, why, and for how long."""

    by: User
    reason: str
    minutes: int

    def checked(self) -> Wish:
        """Raise InvalidOverride."""
        reason = self.reason.strip()
        if not reason:
            raise InvalidOverride("reason", "Say why: others will ask.")
        if len(reason) > 500:
            raise InvalidOverride("reason", "At most 500 characters.")
        if self.minutes not in MINUTES:
            raise InvalidOverride("minutes", f"One of {', '.join(MINUTES.values())}.")
        return Wish(self.by, reason, self.minutes)

    def until(self, now: datetime) -> datetime:
        return now + timedelta(minutes=self.minutes)


@transaction.atomic
def set_level(wish: Wish, level: Level, team: Team | None) -> LevelOverride:
    """Put it in force, in place of an earlier one of the same scope. Raises InvalidOverride."""
    wish = wish.checked()
    now = timezone.now()
    before = levels.read(now).standing(team.pk if team else None, now).level
    _live(team, now).update(ended_at=now)
    override = LevelOverride.objects.create(
        level=level,
        team=team,
        reason=wish.reason,
        by=wish.by,
        actor=wish.by.email,
        created_at=now,
        expires_at=wish.until(now),
    )
    _note(override, before, level, wish.reason, wish.by)
    audit.write(
        wish.by,
        "level.set",
        _scope(team),
        before={"level": before},
        after={"level": level, "until": override.expires_at},
        reason=wish.reason,
    )
    return override


@transaction.atomic
def end_level(by: User, override: LevelOverride) -> None:
    """End it now. Twice is harmless."""
    now = timezone.now()
    if not _live(override.team, now).filter(pk=override.pk).update(ended_at=now):
        return
    after = levels.read(now).standing(override.team_id, now).level
    _note(override, Level(override.level), after, "Ended by hand; the score decides again.", by)
    audit.write(
        by,
        "level.end",
        _scope(override.team),
        before={"level": override.level, "until": override.expires_at},
        after={"level": after},
    )


@transaction.atomic
def order_breaker(
    wish: Wish, deployment: Deployment, word: BreakerOrder.Word, was: str
) -> BreakerOrder:
    """Hold a breaker open or closed, or let it begin anew. `was`: its state as it was seen.

    Raises InvalidOverride.
    """
    wish = wish.checked()
    now = timezone.now()
    is_reset = word == BreakerOrder.Word.RESET
    _standing_orders(deployment, now).update(ended_at=now)
    order = BreakerOrder.objects.create(
        deployment=deployment,
        word=word,
        reason=wish.reason,
        by=wish.by,
        actor=wish.by.email,
        created_at=now,
        expires_at=now + _RESET_HEARD_WITHIN if is_reset else wish.until(now),
        ended_at=now if is_reset else None,
    )
    after = "closed" if is_reset else f"forced {word}"
    _note_breaker(order, was, after, wish.reason, wish.by)
    audit.write(
        wish.by,
        f"breaker.{word}",
        _name(deployment),
        before={"state": was},
        after={"state": after, "until": None if is_reset else order.expires_at},
        reason=wish.reason,
    )
    return order


@transaction.atomic
def end_order(by: User, order: BreakerOrder) -> None:
    """Let the breaker decide by itself again. Twice is harmless."""
    now = timezone.now()
    if not _standing_orders(order.deployment, now).filter(pk=order.pk).update(ended_at=now):
        return
    was = f"forced {order.word}"
    _note_breaker(order, was, "automatic", "Ended by hand.", by)
    audit.write(
        by,
        "breaker.end",
        _name(order.deployment),
        before={"state": was, "until": order.expires_at},
        after={"state": "automatic"},
    )


def _live(team: Team | None, now: datetime) -> models.QuerySet[LevelOverride]:
    return LevelOverride.objects.filter(team=team, ended_at=None, expires_at__gt=now)


def _standing_orders(deployment: Deployment, now: datetime) -> models.QuerySet[BreakerOrder]:
    return BreakerOrder.objects.filter(deployment=deployment, ended_at=None, expires_at__gt=now)


def _note(override: LevelOverride, before: Level, after: Level, reason: str, by: User) -> None:
    LevelChange.objects.create(
        team=override.team,
        at=timezone.now(),
        before=before,
        after=after,
        reason=reason,
        actor=by.email,
    )


def _note_breaker(order: BreakerOrder, was: str, after: str, reason: str, by: User) -> None:
    BreakerChange.objects.create(
        deployment=order.deployment,
        at=timezone.now(),
        before=was,
        after=after,
        reason=reason,
        actor=by.email,
    )


def _scope(team: Team | None) -> str:
    return "all teams" if team is None else f"team {team.slug}"


def _name(deployment: Deployment) -> str:
    return f"{deployment.provider.name}/{deployment.model}"
