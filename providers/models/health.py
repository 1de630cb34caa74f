"""What the probes found, how well everything does, and what the system does about it."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from providers.models.catalog import Deployment
from providers.models.people import Team


class Probe(models.Model):
    """One free question to a deployment's provider. `error_code` empty: it answered.

    Kept for a while, then swept.
    """

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="probes")
    at = models.DateTimeField(default=timezone.now)
    ok = models.BooleanField()
    latency_ms = models.PositiveIntegerField()
    error_code = models.CharField(max_length=40, blank=True)
    message = models.CharField(max_length=300, blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["deployment", "-at"])]

    def __str__(self) -> str:
        return f"{self.deployment_id} at {self.at:%Y-%m-%d %H:%M}"


class Level(models.TextChoices):
    """Best first."""

    FULL = "full", "Full"
    SIMPLIFIED = "simplified", "Simplified"
    ESSENTIAL = "essential", "Essential"
    EMERGENCY = "emergency", "Emergency"


class HealthState(models.Model):
    """The one row that every process goes by, written by the one that judges.

    `score` 0..1; None: nobody has judged yet. `teams` holds `{team id: {level, since}}` of teams
    with limits of their own. `deductions` explain the score, see `providers.health.score`;
    `deployments` and `providers` hold those of each, by id and by name.
    """

    level = models.CharField(max_length=12, choices=Level, default=Level.FULL)
    since = models.DateTimeField(default=timezone.now)
    score = models.FloatField(null=True)
    samples = models.PositiveIntegerField(default=0)
    deductions = models.JSONField(default=list)
    teams = models.JSONField(default=dict)
    deployments = models.JSONField(default=dict)
    providers = models.JSONField(default=dict)
    judged_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(id=1), name="one_health_state"),
        ]

    def __str__(self) -> str:
        return self.level


class LevelOverride(models.Model):
    """A level that a person has set, for all (`team` None) or one team, until it expires."""

    level = models.CharField(max_length=12, choices=Level)
    team = models.ForeignKey(Team, null=True, on_delete=models.CASCADE, related_name="+")
    reason = models.CharField(max_length=500)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    actor = models.CharField(max_length=254)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["-expires_at"])]

    def __str__(self) -> str:
        return f"{self.level} until {self.expires_at:%Y-%m-%d %H:%M}"


class BreakerOrder(models.Model):
    """What a person has told a breaker: stay open or closed until it expires, or start anew.

    A reset is over at once; every process carries it out when it hears of it.
    """

    class Word(models.TextChoices):
        OPEN = "open", "Force open"
        CLOSED = "closed", "Force closed"
        RESET = "reset", "Reset"

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="+")
    word = models.CharField(max_length=8, choices=Word)
    reason = models.CharField(max_length=500)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    actor = models.CharField(max_length=254)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["-expires_at"])]

    def __str__(self) -> str:
        return f"{self.word} {self.deployment_id}"


class HealthScore(models.Model):
    """One a minute for each deployment, and for the system (`deployment` None). `score` 0..1."""

    deployment = models.ForeignKey(
        Deployment, null=True, on_delete=models.CASCADE, related_name="scores"
    )
    at = models.DateTimeField()
    score = models.FloatField()
    samples = models.PositiveIntegerField()
    deductions = models.JSONField(default=list)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["deployment", "-at"]),
            models.Index(fields=["at"]),
        ]

    def __str__(self) -> str:
        return f"{self.score:.2f} at {self.at:%Y-%m-%d %H:%M}"


class LevelChange(models.Model):
    """A level that gave way to another; `team` None: for all. `actor` empty: by the score."""

    team = models.ForeignKey(Team, null=True, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField()
    before = models.CharField(max_length=12, choices=Level)
    after = models.CharField(max_length=12, choices=Level)
    reason = models.CharField(max_length=500)
    actor = models.CharField(max_length=254, blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["-at"])]

    def __str__(self) -> str:
        return f"{self.before} to {self.after}"


class BreakerChange(models.Model):
    """A breaker that went from one state to another; `actor` empty: by itself."""

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField()
    before = models.CharField(max_length=20)
    after = models.CharField(max_length=20)
    reason = models.CharField(max_length=500, blank=True)
    actor = models.CharField(max_length=254, blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["-at"])]

    def __str__(self) -> str:
        return f"{self.before} to {self.after}"
