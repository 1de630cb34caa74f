"""The configuration in force: each value with its source, and which process runs by which file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from providers import processes
from providers.processes import Agreement
from providers.views.settings.sections import show


@dataclass(frozen=True)
class Value:
    """`value` is masked where it is a secret, empty where it is unset."""

    name: str
    value: str
    source: str
    meaning: str
    is_live: bool
    is_waiting: bool


@dataclass(frozen=True)
class ConfigurationPage:
    """`path` empty: there is no settings file. `defaults` are values that nobody has set."""

    path: str
    agreement: Agreement
    given: list[Value]
    defaults: list[Value]


@require_safe
def configuration(request: HttpRequest) -> HttpResponse:
    config: Any = settings.GAIWEB
    agreement = processes.agreement(config.version_on_disk, timezone.now())
    waiting = set(agreement.waiting)
    values = [
        Value(
            name=entry.name,
            value=value,
            source=source,
            meaning=entry.meaning.replace("`", ""),
            is_live=entry.is_live,
            is_waiting=entry.name in waiting,
        )
        for entry, value, source in config.entries()
    ]
    page = ConfigurationPage(
        path=str(config.config_path or ""),
        agreement=agreement,
        given=[value for value in values if value.source != "default" or value.is_waiting],
        defaults=[value for value in values if value.source == "default" and not value.is_waiting],
    )
    return show(request, "configuration", page)
