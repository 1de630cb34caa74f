"""What one key, person or team may ask, where it is not what everybody may."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from providers.models.keys import VirtualKey
from providers.models.people import Team


class Quota(models.Model):
    """Of exactly one of key, user and team. None: as configured for everybody.

    `rpm` and `tpm` are requests and tokens a minute, `parallel` requests open at once,
    `daily_tokens` prompt and answer of a day of the organisation's time zone.
    """

    team = models.OneToOneField(
        Team, null=True, blank=True, on_delete=models.CASCADE, related_name="quota"
    )
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="quota",
    )
    key = models.OneToOneField(
        VirtualKey, null=True, blank=True, on_delete=models.CASCADE, related_name="quota"
    )
    rpm = models.PositiveIntegerField(null=True, blank=True)
    tpm = models.PositiveIntegerField(null=True, blank=True)
    parallel = models.PositiveIntegerField(null=True, blank=True)
    daily_tokens = models.PositiveBigIntegerField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=(
                    models.Q(team__isnull=False, user=None, key=None)
                    | models.Q(team=None, user__isnull=False, key=None)
                    | models.Q(team=None, user=None, key__isnull=False)
                ),
                name="quota_names_its_scope",
            ),
        ]

    def __str__(self) -> str:
        return f"quota of {self.team or self.user or self.key}"

    @property
    def scope(self) -> str:
        """Name it as limits do: `key:5`."""
        if self.key_id is not None:
            return f"key:{self.key_id}"
        return f"user:{self.user_id}" if self.user_id is not None else f"team:{self.team_id}"
