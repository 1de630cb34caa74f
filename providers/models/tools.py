"""Hosted tools: what runs here when a model calls, and who may name it."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.utils import timezone

from providers.models.people import Team


class ToolKind(models.TextChoices):
    BUILT_IN = "built_in", "Built in"
    HTTPS = "https", "HTTPS"
    MOCK = "mock", "Mock"
    ROWS = "rows", "Lookup in rows"


class Tool(models.Model):
    """One tool by its public name. `team` None: the organisation's; else that team may change it.

    `facts` by kind: `url` and `header` (HTTPS), `result`, `cases`, `error`, `delay_s` (mock),
    `columns` and `count` (rows). A secret header's value is sealed as a provider's key is; empty:
    there is none. A built-in tool without a row may be used by everybody.
    """

    name = models.CharField(max_length=64, unique=True)
    kind = models.CharField(max_length=16, choices=ToolKind)
    description = models.CharField(max_length=1000)
    parameters = models.JSONField(default=dict)
    facts = models.JSONField(default=dict, blank=True)
    sealed = models.BinaryField(default=b"", blank=True)
    wrapped_key = models.BinaryField(default=b"", blank=True)
    ring_key = models.CharField(max_length=32, blank=True)
    hint = models.CharField(max_length=8, blank=True)
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.CASCADE)
    is_enabled = models.BooleanField(default=True)
    for_everybody = models.BooleanField(default=False)
    teams = models.ManyToManyField(Team, blank=True, related_name="tools")
    users = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True, related_name="tools")
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name


class ToolRow(models.Model):
    """A row of what a team uploaded: `cells` by column, `search` made of all of them."""

    tool = models.ForeignKey(Tool, on_delete=models.CASCADE, related_name="rows")
    number = models.PositiveIntegerField()
    cells = models.JSONField()
    text = models.TextField()
    search = SearchVectorField(null=True)

    class Meta:
        indexes: ClassVar = [GinIndex(fields=["search"], name="tool_rows_by_words")]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tool", "number"], name="a_row_of_a_tool_once"),
        ]

    def __str__(self) -> str:
        return f"{self.tool_id}#{self.number}"
