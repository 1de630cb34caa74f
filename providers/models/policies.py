"""What a team wants otherwise than the installation has it."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from providers.models.people import Team


class FilterMode(models.TextChoices):
    OFF = "off", "Off"
    FLAG = "flag", "Flag"
    REDACT = "redact", "Redact"
    BLOCK = "block", "Block"


class AfterHangUp(models.TextChoices):
    ABORT = "abort", "Break the answer off"
    DRAIN = "drain", "Read it to its end"


class TeamPolicy(models.Model):
    """One row a team at most. Empty: as the installation has it.

    A level applies below its score, 0..1; caps are in tokens. `answers` is a list of
    `{"match": ..., "answer": ...}`, given in emergency mode: the first whose `match` is in the
    prompt. `pii_patterns` is a list of `{"name": ..., "pattern": ...}`.
    A drained answer is read on for `drain_s` seconds and `drain_usd` dollars at most.
    """

    team = models.OneToOneField(Team, on_delete=models.CASCADE, related_name="policy")

    simplified_below = models.FloatField(null=True, blank=True)
    essential_below = models.FloatField(null=True, blank=True)
    emergency_below = models.FloatField(null=True, blank=True)
    simplified_tokens = models.PositiveIntegerField(null=True, blank=True)
    essential_tokens = models.PositiveIntegerField(null=True, blank=True)
    fast_route = models.CharField(max_length=120, blank=True)
    answers = models.JSONField(default=list, blank=True)

    pii_input = models.CharField(max_length=8, choices=FilterMode, default=FilterMode.OFF)
    pii_output = models.CharField(max_length=8, choices=FilterMode, default=FilterMode.OFF)
    pii_tools = models.CharField(max_length=8, choices=FilterMode, default=FilterMode.OFF)
    pii_detectors = models.JSONField(default=list, blank=True)
    pii_allow = models.JSONField(default=list, blank=True)
    pii_patterns = models.JSONField(default=list, blank=True)

    hang_up = models.CharField(max_length=8, choices=AfterHangUp, default=AfterHangUp.ABORT)
    drain_s = models.PositiveIntegerField(default=60)
    drain_usd = models.DecimalField(max_digits=10, decimal_places=4, default=1)

    class Meta:
        verbose_name_plural = "team policies"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(**{f"{name}__isnull": True})
                | models.Q(**{f"{name}__range": (0, 1)}),
                name=f"{name}_is_a_share",
            )
            for name in ("simplified_below", "essential_below", "emergency_below")
        ]

    def __str__(self) -> str:
        return f"policy of {self.team_id}"
