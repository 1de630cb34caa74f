"""What the ledger's entries add up to.

A trigger of the entries keeps the quarter hours within the transaction that writes an entry, so no
writer can forget it.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models

from providers.models.keys import VirtualKey
from providers.models.people import Team


class SpendGroup(models.Model):
    """One combination of who asked whom for what. Its id is a digest of all the others.

    A person, team or key of None: none, such as those of a probe. Provider and model are empty
    where a hold expired before anybody said who was asked.
    """

    id = models.UUIDField(primary_key=True)
    team = models.ForeignKey(
        Team,
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    key = models.ForeignKey(
        VirtualKey,
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    provider = models.TextField()
    model = models.TextField()
    route = models.TextField()
    source = models.TextField()
    tag = models.TextField()

    def __str__(self) -> str:
        return str(self.pk)


class _Sums(models.Model):
    """`requests` count where they were tried first, `attempts` are all tries at providers.

    `retried` attempts are those after the first. `cached` requests were answered from our cache
    for nothing; their tokens are in no sum, and `saved_nano` was not spent. `wasted` attempts
    failed, were cut, cancelled or expired; what they cost is `wasted_nano`, of which three kinds
    are told apart and the rest expired. `unpriced` entries have no known cost. `estimated_nano` is
    the part of the cost that rests on a count of ours, `unconfirmed_nano` the part of it that was
    booked by rule, `corrected_nano` what corrections moved. Tokens are inclusive as in `Usage`.
    """

    requests = models.IntegerField(default=0)
    attempts = models.IntegerField(default=0)
    retried = models.IntegerField(default=0)
    wasted = models.IntegerField(default=0)
    cached = models.IntegerField(default=0)
    unpriced = models.IntegerField(default=0)
    estimated = models.IntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    cache_read_tokens = models.BigIntegerField(default=0)
    cache_write_tokens = models.BigIntegerField(default=0)
    reasoning_tokens = models.BigIntegerField(default=0)
    input_audio_tokens = models.BigIntegerField(default=0)
    output_audio_tokens = models.BigIntegerField(default=0)
    cost_nano = models.BigIntegerField(default=0)
    estimated_nano = models.BigIntegerField(default=0)
    unconfirmed_nano = models.BigIntegerField(default=0)
    corrected_nano = models.BigIntegerField(default=0)
    wasted_nano = models.BigIntegerField(default=0)
    failed_nano = models.BigIntegerField(default=0)
    cut_nano = models.BigIntegerField(default=0)
    cancelled_nano = models.BigIntegerField(default=0)
    saved_nano = models.BigIntegerField(default=0)

    class Meta:
        abstract = True


class SpendQuarter(_Sums):
    """A quarter of an hour: the longest piece of which every time zone's days are made."""

    pk = models.CompositePrimaryKey("quarter", "group")
    quarter = models.DateTimeField()
    group = models.ForeignKey(
        SpendGroup,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )

    class Meta:
        verbose_name = "sums of a quarter hour"

    def __str__(self) -> str:
        return f"{self.quarter:%Y-%m-%d %H:%M}"


class SpendDay(_Sums):
    """A day of the organisation's time zone that is over: the sum of its quarter hours."""

    pk = models.CompositePrimaryKey("day", "group")
    day = models.DateField()
    group = models.ForeignKey(
        SpendGroup,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )

    class Meta:
        verbose_name = "sums of a day"

    def __str__(self) -> str:
        return f"{self.day:%Y-%m-%d}"


class SpendFold(models.Model):
    """How far days are summed: all before `until`; None: none yet. One row.

    When the organisation changes its time zone, its days are forgotten and summed anew.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    time_zone = models.CharField(max_length=64)
    until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"days before {self.until}"


FIGURES: tuple[str, ...] = tuple(
    field.name
    for field in SpendQuarter._meta.fields  # noqa: SLF001 - Django's way to ask for columns
    if field.name not in {"pk", "quarter", "group"}
)
"""The columns that are sums."""
