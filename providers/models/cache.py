"""Answers that are kept for who asks the same again, and what of them counts no more."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone


class CachedAnswer(models.Model):
    """Packed and sealed; the digest tells nothing of the prompt. An unlogged table: a crash of the
    database empties it. Written by `providers.state.postgres_answers`, never by the ORM.
    """

    digest = models.BinaryField(primary_key=True)
    team_id = models.BigIntegerField()
    route = models.CharField(max_length=120)
    value = models.BinaryField()
    kept_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["team_id", "route"], name="cached_of_team_and_route"),
            models.Index(fields=["kept_at"], name="cached_by_age"),
        ]

    def __str__(self) -> str:
        return f"answer of team {self.team_id} on {self.route}"


class CachePurge(models.Model):
    """Answers kept until `at` count no more, in any process. None: of every team, every route."""

    at = models.DateTimeField(default=timezone.now)
    team_id = models.BigIntegerField(null=True)
    route = models.CharField(max_length=120, null=True)  # noqa: DJ001 - null is every route
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        indexes: ClassVar = [models.Index(fields=["at"], name="purges_by_time")]

    def __str__(self) -> str:
        return f"purge at {self.at:%Y-%m-%d %H:%M}"


class KeptReply(models.Model):
    """A whole answer under a caller's idempotency key, packed and sealed; None: under way.

    The digest and the fingerprint tell nothing of the key or the prompt. Written by
    `providers.state.idempotency`, never by the ORM.
    """

    digest = models.BinaryField(primary_key=True)
    team_id = models.BigIntegerField()
    fingerprint = models.BinaryField()
    request_id = models.UUIDField()
    value = models.BinaryField(null=True)
    at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["at"], name="replies_by_age")]

    def __str__(self) -> str:
        return f"answer {self.request_id} of team {self.team_id}"
