"""Budgets, their windows, holds and the entries of the ledger. Money is nano-dollars.

Holds and entries are written by `providers.ledger` through its own connections, never by the ORM.
They carry no foreign key constraints: a checked reference locks the team's row on every request,
and what was spent outlives who spent it. Nor an index for each: every one is paid on each request.
"""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from providers.models.keys import VirtualKey
from providers.models.people import Team


class Scope(models.TextChoices):
    ORGANISATION = "org", "Organisation"
    TEAM = "team", "Team"
    USER = "user", "User"
    KEY = "key", "Virtual key"
    TAG = "tag", "Tag"


class Period(models.TextChoices):
    DAY = "day", "Day"
    WEEK = "week", "Week"
    MONTH = "month", "Month"
    TOTAL = "total", "Total"


THRESHOLDS = (50, 80, 100)


def default_thresholds() -> list[int]:
    return list(THRESHOLDS)


class Budget(models.Model):
    """Dollars that a scope may spend in a window; exactly the scope's own column is set.

    Windows are a pure function of (period, time zone, start day, now). At the limit a hard budget
    refuses, one with a route in `degrade_to` has that cheaper route answer, a soft one only warns.
    `thresholds` are percents of the limit that are told, each once in a window.
    """

    scope = models.CharField(max_length=8, choices=Scope)
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.CASCADE)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE
    )
    key = models.ForeignKey(VirtualKey, null=True, blank=True, on_delete=models.CASCADE)
    tag = models.CharField(max_length=64, blank=True, default="", db_default="")
    limit_nano = models.BigIntegerField()
    period = models.CharField(max_length=8, choices=Period, default=Period.MONTH)
    time_zone = models.CharField(max_length=64, default="UTC")
    starts_on = models.PositiveSmallIntegerField(default=1, db_default=1)
    is_hard = models.BooleanField(default=True)
    degrade_to = models.CharField(max_length=120, blank=True, default="", db_default="")
    thresholds = ArrayField(
        models.PositiveSmallIntegerField(), default=default_thresholds, db_default=[50, 80, 100]
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["scope", "team", "user", "key", "tag", "period"],
                nulls_distinct=False,
                name="one_budget_a_scope_and_period",
            ),
            models.CheckConstraint(
                condition=models.Q(limit_nano__gte=0), name="limit_not_negative"
            ),
            models.CheckConstraint(
                condition=(
                    models.Q(scope="org", team=None, user=None, key=None, tag="")
                    | models.Q(scope="team", team__isnull=False, user=None, key=None, tag="")
                    | models.Q(scope="user", team=None, user__isnull=False, key=None, tag="")
                    | models.Q(scope="key", team=None, user=None, key__isnull=False, tag="")
                    | (models.Q(scope="tag", team=None, user=None, key=None) & ~models.Q(tag=""))
                ),
                name="budget_names_its_scope",
            ),
            models.CheckConstraint(
                condition=models.Q(is_hard=False) | models.Q(degrade_to=""),
                name="one_way_at_the_limit",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scope} per {self.period}"


class BudgetWindow(models.Model):
    """One period of one budget with its counters. A hold is booked in the window it was made in.

    `opening_nano` is the part of `spent_nano` that the scope had spent in this period before the
    window was made: a budget set on the 20th knows what the month has cost so far.
    """

    budget = models.ForeignKey(Budget, on_delete=models.CASCADE, related_name="windows")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)
    opening_nano = models.BigIntegerField(default=0)
    spent_nano = models.BigIntegerField(default=0)
    held_nano = models.BigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["budget", "starts_at"], name="one_window_a_start"),
            models.CheckConstraint(condition=models.Q(held_nano__gte=0), name="held_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.budget_id} from {self.starts_at:%Y-%m-%d}"


class Reservation(models.Model):
    """An intent: durable before the first byte goes upstream. Its id is the request's.

    `windows` are the ids of the budget windows that carry the hold; `settled_at` None: open, and
    then it may have been sent. Settled without an entry: it was not, and its hold was released.
    `held_nano` is the worst case, also where no budget applies; None: nobody knows the price.
    `tag` is the caller's own word for what it is for; empty: none.
    """

    id = models.UUIDField(primary_key=True)
    source = models.CharField(max_length=16)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    team = models.ForeignKey(
        Team,
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
    tag = models.CharField(max_length=64, blank=True, default="", db_default="")
    route = models.CharField(max_length=120)
    windows = ArrayField(models.BigIntegerField(), default=list)
    held_nano = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(
                fields=["expires_at"],
                condition=models.Q(settled_at=None),
                name="open_reservations",
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class Entry(models.Model):
    """One attempt, or the estimate of an expired hold (`attempt` 0, `status` expired). Append-only.

    Names of provider, model and route are copied so that an entry outlives them. Token counts and
    `cost_nano` None: unknown, and then nothing was booked. `is_unconfirmed`: booked by rule,
    nobody saw the end. `error_code` empty: it went well. `is_cached` (`attempt` 0): answered from
    the cache at no cost, by what provider and model once gave for `saved_nano`; None: no price.
    Figures are those of the engine's `Usage`; with `is_estimated`, `estimated_figures` names what
    we counted ourselves (empty: all of it). `is_share`: its part of a request that several made.
    A row of status `correction` moves the cost of its request by `cost_nano`; it alone has a
    `reason` and an `actor`.
    """

    reservation = models.ForeignKey(
        Reservation,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="entries",
    )
    attempt = models.PositiveSmallIntegerField()
    at = models.DateTimeField(default=timezone.now)
    source = models.CharField(max_length=16)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    team = models.ForeignKey(
        Team,
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
    tag = models.CharField(max_length=64, blank=True, default="", db_default="")
    route = models.CharField(max_length=120)
    provider = models.CharField(max_length=64)
    model = models.CharField(max_length=200)
    status = models.CharField(max_length=16)
    error_code = models.CharField(max_length=40, blank=True)
    http_status = models.PositiveSmallIntegerField(null=True)
    upstream_request_id = models.CharField(max_length=120, blank=True)
    ttft_ms = models.PositiveIntegerField(null=True)
    duration_ms = models.PositiveIntegerField(null=True)
    input_tokens = models.PositiveIntegerField(null=True)
    output_tokens = models.PositiveIntegerField(null=True)
    cache_read_tokens = models.PositiveIntegerField(null=True)
    cache_write_tokens = models.PositiveIntegerField(null=True)
    reasoning_tokens = models.PositiveIntegerField(null=True)
    cache_write_1h_tokens = models.PositiveIntegerField(null=True)
    input_audio_tokens = models.PositiveIntegerField(null=True)
    output_audio_tokens = models.PositiveIntegerField(null=True)
    web_searches = models.PositiveIntegerField(null=True)
    server_tool_calls = models.PositiveIntegerField(null=True)
    estimated_figures = ArrayField(models.CharField(max_length=40), null=True)
    is_share = models.BooleanField(default=False, db_default=False)
    is_estimated = models.BooleanField(default=False)
    is_unconfirmed = models.BooleanField(default=False)
    cost_nano = models.BigIntegerField(null=True)
    price_version = models.CharField(max_length=120, blank=True)
    is_cached = models.BooleanField(default=False, db_default=False)
    saved_nano = models.BigIntegerField(null=True)
    reason = models.CharField(max_length=300, blank=True, db_default="")
    actor = models.CharField(max_length=254, blank=True, db_default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["reservation", "attempt"], name="an_attempt_once"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["at"]),
            models.Index(fields=["team", "at"]),
            models.Index(fields=["provider", "model", "at"]),
            # The health page looks for the last error of each deployment.
            models.Index(
                fields=["provider", "model", "at"],
                condition=~models.Q(error_code=""),
                name="entries_that_failed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reservation_id}#{self.attempt}"
