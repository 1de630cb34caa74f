"""The start page: it only knows who goes where."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from providers.people import accounts
from providers.people.permissions import Capability
from providers.people.standing import standing_of


def home(request: HttpRequest) -> HttpResponse:
    if not request.user.is_authenticated:
        return redirect("account_login" if accounts.owner_exists() else "providers:setup_needed")
    if standing_of(request).may(Capability.RUN_PROMPTS):
        return redirect("conversations:playground")
    return redirect("providers:costs")
