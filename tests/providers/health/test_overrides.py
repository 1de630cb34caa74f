"""What is set by hand has a reason and an end, and is on record."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from providers import audit
from providers.engine.levels import Level
from providers.health import history, levels, overrides
from providers.health.overrides import InvalidOverride, Wish
from providers.models import (
    AuditEntry,
    BreakerChange,
    BreakerOrder,
    HealthScore,
    LevelChange,
    Team,
    User,
)
from tests.providers import spent

Word = BreakerOrder.Word


@pytest.mark.parametrize(
    ("reason", "minutes", "field"),
    [("", 15, "reason"), ("   ", 15, "reason"), ("x" * 501, 15, "reason"), ("Why", 600, "minutes")],
)
def test_nothing_is_set_without_a_reason_or_for_ever(
    ada: User, reason: str, minutes: int, field: str
) -> None:
    with pytest.raises(InvalidOverride) as raised:
        overrides.set_level(Wish(ada, reason, minutes), Level.FULL, None)
    assert raised.value.field == field
    assert not AuditEntry.objects.exists()


def test_a_level_is_set_for_a_team_told_and_audited(ada: User, team: Team) -> None:
    overrides.set_level(Wish(ada, "Drill.", 60), Level.EMERGENCY, team)
    now = timezone.now()
    standing = levels.read(now).standing(team.pk, now)
    assert standing.level is Level.EMERGENCY
    assert standing.override is not None
    assert standing.override.until - now > timedelta(minutes=59)
    assert levels.read(now).standing(None, now).level is Level.FULL
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.target) == (ada.email, "level.set", "team builders")
    assert (entry.before, entry.reason) == ({"level": "full"}, "Drill.")
    change = LevelChange.objects.get()
    assert (change.before, change.after, change.actor) == ("full", "emergency", ada.email)


def test_a_later_one_takes_the_place_of_an_earlier_of_the_same_scope(ada: User) -> None:
    overrides.set_level(Wish(ada, "Drill.", 60), Level.EMERGENCY, None)
    overrides.set_level(Wish(ada, "Enough.", 15), Level.FULL, None)
    (one,) = levels.read(timezone.now()).overrides
    assert (one.level, one.reason) == (Level.FULL, "Enough.")


def test_it_is_ended_once_however_often_it_is_pressed(ada: User) -> None:
    made = overrides.set_level(Wish(ada, "Drill.", 60), Level.EMERGENCY, None)
    for _ in range(2):
        overrides.end_level(ada, made)
    assert levels.read(timezone.now()).overrides == ()
    assert list(AuditEntry.objects.order_by("id").values_list("action", flat=True)) == [
        "level.set",
        "level.end",
    ]
    assert audit.verify().is_whole


def test_a_breaker_is_forced_for_every_process_until_it_ends(ada: User) -> None:
    one = spent.deployment("openai/gpt-a")
    made = overrides.order_breaker(Wish(ada, "Outage.", 15), one, Word.OPEN, "closed")
    forced = levels.read(timezone.now()).forced[one.pk]
    assert (forced.word, forced.reason, forced.until) == ("open", "Outage.", made.expires_at)
    change = BreakerChange.objects.get()
    assert (change.before, change.after, change.actor) == ("closed", "forced open", ada.email)
    overrides.end_order(ada, made)
    assert levels.read(timezone.now()).forced == {}
    assert [entry.action for entry in AuditEntry.objects.order_by("id")] == [
        "breaker.open",
        "breaker.end",
    ]


def test_a_reset_is_heard_of_and_forces_nothing(ada: User) -> None:
    one = spent.deployment("openai/gpt-a")
    made = overrides.order_breaker(Wish(ada, "Fixed.", 15), one, Word.RESET, "open")
    found = levels.read(timezone.now())
    assert (found.forced, found.resets) == ({}, ((made.pk, one.pk),))


def test_history_is_kept_for_its_days(ada: User) -> None:
    one = spent.deployment("openai/gpt-a")
    now = timezone.now()
    for days in (89, 91):
        at = now - timedelta(days=days)
        HealthScore.objects.create(deployment=one, at=at, score=1, samples=9)
        LevelChange.objects.create(at=at, before="full", after="essential", reason="x")
        BreakerChange.objects.create(deployment=one, at=at, before="closed", after="open")
    assert history.sweep(now, timedelta(days=90)) == 3
    assert HealthScore.objects.count() == LevelChange.objects.count() == 1
