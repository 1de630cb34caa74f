"""Providers, their models with price and limits, and the routes that callers name."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone


class Provider(models.Model):
    """A company or server with an API. `kind` is an adapter's; `is_local` allows private addresses.

    `preset` is the well-known vendor that was chosen; empty: only the wire format was.
    `from_environment`: made from a key in the environment; pages show it and do not edit it.
    `has_faults`: the demo's faulty models fail, for practice; nobody else's read it.
    """

    name = models.SlugField(max_length=64, unique=True)
    kind = models.CharField(max_length=32)
    preset = models.CharField(max_length=32, blank=True)
    base_url = models.URLField(max_length=500, blank=True)
    is_local = models.BooleanField(default=False)
    is_enabled = models.BooleanField(default=True)
    from_environment = models.BooleanField(default=False)
    has_faults = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name


class Deployment(models.Model):
    """One model at one provider. Limits left empty fall back to the configuration.

    `lacks` names what the model cannot take (see `Ability`); `context_tokens` empty: as published.
    Timeouts in seconds.
    """

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="deployments")
    model = models.CharField(max_length=200)
    max_output_tokens = models.PositiveIntegerField(default=4096)
    requests_per_second = models.FloatField(null=True, blank=True)
    burst = models.PositiveIntegerField(null=True, blank=True)
    tokens_per_minute = models.PositiveBigIntegerField(null=True, blank=True)
    max_attempts = models.PositiveSmallIntegerField(null=True, blank=True)
    connect_timeout_s = models.FloatField(null=True, blank=True)
    first_token_timeout_s = models.FloatField(null=True, blank=True)
    idle_timeout_s = models.FloatField(null=True, blank=True)
    total_timeout_s = models.FloatField(null=True, blank=True)
    context_tokens = models.PositiveBigIntegerField(null=True, blank=True)
    lacks = models.JSONField(default=list, blank=True)
    is_enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "model"], name="one_deployment_a_model"),
        ]

    def __str__(self) -> str:
        return f"{self.provider_id}/{self.model}"

    @property
    def named(self) -> str:
        """As a route's target is written."""
        return f"{self.provider.name}/{self.model}"


class Price(models.Model):
    """Set by an operator; of those that hold, the one that began last wins over published prices.

    USD per million tokens. Rows are added, never edited but to let them end: they are the history.
    `source` and `made_by` (an e-mail address) empty: set with a route, or at the machine.
    """

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="prices")
    input_usd = models.DecimalField(max_digits=14, decimal_places=6)
    output_usd = models.DecimalField(max_digits=14, decimal_places=6)
    cache_read_usd = models.DecimalField(max_digits=14, decimal_places=6, null=True, blank=True)
    cache_write_usd = models.DecimalField(max_digits=14, decimal_places=6, null=True, blank=True)
    effective_from = models.DateTimeField(default=timezone.now)
    effective_until = models.DateTimeField(null=True, blank=True)
    source = models.CharField(max_length=200, blank=True)
    made_by = models.CharField(max_length=254, blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["deployment", "-effective_from"])]

    def __str__(self) -> str:
        return f"{self.deployment_id} from {self.effective_from:%Y-%m-%d}"


class PriceVersion(models.Model):
    """What an entry of the ledger was computed by, whatever has become of the source.

    Written once, never edited; see `catalog/price_versions.py` for the shape of `rates`.
    """

    version = models.CharField(max_length=120, primary_key=True)
    rates = models.JSONField()
    first_seen_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.version


class Route(models.Model):
    """The public model name that callers use."""

    name = models.CharField(max_length=120, unique=True)
    is_enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name


class RouteTarget(models.Model):
    """One deployment of a route; lower `position` is tried first.

    Among targets with a `weight` the first is drawn by it; empty: only a stand-in, unless none of
    the route has one.
    """

    route = models.ForeignKey(Route, on_delete=models.CASCADE, related_name="targets")
    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="targets")
    position = models.PositiveSmallIntegerField()
    weight = models.FloatField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["route", "deployment"], name="target_once_a_route"),
            models.UniqueConstraint(fields=["route", "position"], name="one_target_a_position"),
        ]

    def __str__(self) -> str:
        return f"{self.route_id} -> {self.deployment_id}"
