"""Who changed what and why, for good."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models


class AuditEntry(models.Model):
    """One deed; written by `providers.audit` alone, and never changed: a trigger sees to it.

    `digest` covers `previous` and everything else of the row, so that a row that was altered or
    taken out of the middle breaks the chain. `actor` is the name as it was then; `user` may go.
    """

    at = models.DateTimeField()
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="+",
    )
    actor = models.CharField(max_length=254)
    action = models.CharField(max_length=60)
    target = models.CharField(max_length=300)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    reason = models.CharField(max_length=500, blank=True)
    previous = models.BinaryField(max_length=32)
    digest = models.BinaryField(max_length=32, unique=True)

    class Meta:
        verbose_name_plural = "audit entries"
        indexes: ClassVar = [models.Index(fields=["-at"])]

    def __str__(self) -> str:
        return f"{self.action} of {self.target} by {self.actor}"
