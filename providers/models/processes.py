"""Which processes run, and by which configuration."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class RunningProcess(models.Model):
    """Written by the process itself every few seconds; one that stopped doing so has ended.

    `version` names the content of the settings file that it runs by, empty without a file. `fault`
    empty: it took the file as it is. `waiting`: settings of the file that it takes at a restart.
    """

    kind = models.CharField(max_length=12)
    host = models.CharField(max_length=253)
    pid = models.PositiveIntegerField()
    version = models.CharField(max_length=64, blank=True)
    loaded_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    fault = models.TextField(blank=True)
    waiting = models.JSONField(default=list)

    class Meta:
        verbose_name_plural = "running processes"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["host", "pid"], name="one_row_a_process"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pid} on {self.host}"
