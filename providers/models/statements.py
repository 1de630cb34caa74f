"""What a team is told of a month, frozen: rows that the database lets nobody change."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from providers.models.people import Team


class LineKind(models.TextChoices):
    """A usage line of an earlier month is what was booked after that month's statement."""

    USAGE = "usage", "Usage"
    CORRECTION = "correction", "Correction"


class Statement(models.Model):
    """One team's month, in the time zone of then. `number` has no gaps.

    Team None: requests of no team, such as probes. Names are copied: a statement outlives them.
    """

    number = models.PositiveIntegerField(unique=True)
    team = models.ForeignKey(
        Team,
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    team_name = models.CharField(max_length=120, blank=True)
    organisation_name = models.CharField(max_length=120)
    month = models.DateField()
    time_zone = models.CharField(max_length=64)
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=254)
    cost_nano = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["team", "month"],
                nulls_distinct=False,
                name="one_statement_a_team_and_month",
            ),
        ]

    def __str__(self) -> str:
        return f"no. {self.number}"


class StatementLine(models.Model):
    """`month` is that of the use: an earlier one than the statement's for what came late.

    A correction has the request, the reason and who said so; its cost is what it moved. `unpriced`
    attempts have no known cost and are in no sum.
    """

    statement = models.ForeignKey(Statement, on_delete=models.PROTECT, related_name="lines")
    kind = models.CharField(max_length=12, choices=LineKind)
    month = models.DateField()
    provider = models.CharField(max_length=64, blank=True)
    model = models.CharField(max_length=200, blank=True)
    price_version = models.CharField(max_length=120, blank=True)
    requests = models.BigIntegerField(default=0)
    attempts = models.BigIntegerField(default=0)
    unpriced = models.BigIntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    cost_nano = models.BigIntegerField(default=0)
    request_id = models.UUIDField(null=True)
    reason = models.CharField(max_length=300, blank=True)
    actor = models.CharField(max_length=254, blank=True)

    def __str__(self) -> str:
        return f"{self.kind} of {self.month:%Y-%m}"
