"""What the probes found."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from providers.models.catalog import Deployment


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
