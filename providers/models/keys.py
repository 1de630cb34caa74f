"""Secrets that we hold for providers, and secrets that we issue to callers."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from providers.models.catalog import Provider
from providers.models.people import Team


class Credential(models.Model):
    """A provider's key, sealed. Team and user empty: the organisation's; the nearest wins.

    `sealed` is the secret under a data key of its own; `wrapped_key` that data key under the ring's
    key `ring_key`; neither opens in a row with another `seal_id` (None: sealed before rows had
    one). `hint` is the last four characters, all that is ever shown again. Of several of a holder
    prompts are shared out by `weight`; 0: only where the others are refused. `ends_at` is when it
    stops for good; None: when somebody revokes it.
    """

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="credentials")
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.CASCADE)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE
    )
    sealed = models.BinaryField()
    wrapped_key = models.BinaryField()
    ring_key = models.CharField(max_length=32)
    seal_id = models.UUIDField(null=True, unique=True)
    hint = models.CharField(max_length=8)
    label = models.CharField(max_length=60, blank=True)
    weight = models.FloatField(default=1.0)
    ends_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )

    def __str__(self) -> str:
        return f"...{self.hint}"


class CredentialUse(models.Model):
    """What became of a credential, written after the fact, beside it: it changes all the time."""

    credential = models.OneToOneField(
        Credential, primary_key=True, on_delete=models.CASCADE, related_name="use"
    )
    taken_at = models.DateTimeField(null=True)
    refused_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"use of {self.credential_id}"

    @property
    def is_refused(self) -> bool:
        """Of the two, the refusal was the last word."""
        if self.refused_at is None:
            return False
        return self.taken_at is None or self.taken_at < self.refused_at


class VirtualKey(models.Model):
    """A key that we issued. `digest` is keyed (HMAC-SHA-256); the secret itself is not kept.

    `routes` empty: every route. `tag` goes with requests that name none themselves; empty: none.
    """

    name = models.CharField(max_length=120)
    prefix = models.CharField(max_length=16, unique=True)
    digest = models.BinaryField(unique=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="virtual_keys"
    )
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="virtual_keys")
    routes = models.JSONField(default=list, blank=True)
    tag = models.CharField(max_length=64, blank=True, default="", db_default="")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user", "name"],
                condition=models.Q(revoked_at=None),
                name="one_live_key_a_name",
            ),
        ]

    def __str__(self) -> str:
        return self.prefix
