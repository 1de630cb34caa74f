"""The start page: it only knows who goes where."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from providers.people import accounts
from providers.people.standing import standing_of
from providers.views.shell import places


def home(request: HttpRequest) -> HttpResponse:
    if not request.user.is_authenticated:
        return redirect("account_login" if accounts.owner_exists() else "providers:setup_needed")
    first = next(places(request, standing_of(request)), None)
    return redirect(first.url) if first else render(request, "no_team.html")
