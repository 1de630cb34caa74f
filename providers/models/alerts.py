"""What was told of budgets, and the messages that are still to be sent."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from providers.models.spending import BudgetWindow


class BudgetAlert(models.Model):
    """A window's spending reached a percent of its limit; told once. Figures are of that moment."""

    window = models.ForeignKey(BudgetWindow, on_delete=models.CASCADE, related_name="alerts")
    threshold = models.PositiveSmallIntegerField()
    spent_nano = models.BigIntegerField()
    limit_nano = models.BigIntegerField()
    at = models.DateTimeField(default=timezone.now)
    dismissed_by = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="+", blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["window", "threshold"], name="an_alert_once"),
        ]
        indexes: ClassVar = [models.Index(fields=["at"], name="alerts_by_time")]

    def __str__(self) -> str:
        return f"{self.threshold} % of window {self.window_id}"


class Channel(models.TextChoices):
    EMAIL = "email", "E-mail"
    WEBHOOK = "webhook", "Webhook"


class AlertMessage(models.Model):
    """One alert on its way to one place. Rows are the queue: `due_at` None: done, or given up.

    `recipient` is an address; empty for the webhook, whose address is configured. `sent_at` None
    with `due_at` None: given up after `attempts`; `fault` says why the last one failed.
    """

    alert = models.ForeignKey(BudgetAlert, on_delete=models.CASCADE, related_name="messages")
    channel = models.CharField(max_length=8, choices=Channel)
    recipient = models.CharField(max_length=254, blank=True)
    due_at = models.DateTimeField(null=True, default=timezone.now)
    attempts = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True)
    fault = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["alert", "channel", "recipient"], name="a_message_once_a_place"
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["due_at"], condition=~models.Q(due_at=None), name="messages_to_send"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} of alert {self.alert_id}"
