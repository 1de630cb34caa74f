"""The sub-navigation of the settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from providers.people.permissions import required
from providers.people.standing import Standing, standing_of

SECTIONS = (
    ("Providers", "providers:providers"),
    ("Provider keys", "providers:credentials"),
    ("Routes", "providers:routes"),
    ("Prices", "providers:prices"),
    ("Budgets", "providers:budgets"),
    ("Tools", "providers:tools"),
    ("API keys", "providers:keys"),
    ("Policy", "providers:policies"),
    ("Cache", "providers:cache"),
    ("Members", "providers:members"),
    ("Audit log", "providers:audit"),
    ("Configuration", "providers:configuration"),
)


@dataclass(frozen=True)
class Section:
    label: str
    url: str


def sections(standing: Standing) -> list[Section]:
    found = [(label, name, required(name)) for label, name in SECTIONS]
    return [
        Section(label, reverse(name))
        for label, name, capability in found
        if capability is not None and standing.may(capability)
    ]


def show(request: HttpRequest, template: str, page: Any, status: int = 200) -> HttpResponse:
    """Render a page of the family; `page` is its dataclass."""
    context = {"page": page, "sections": sections(standing_of(request))}
    return render(request, f"providers/settings/{template}.html", context, status=status)
