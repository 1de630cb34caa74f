"""Settings: one family of pages; each person sees the sections that the role may."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from providers.people.standing import standing_of
from providers.views.settings.sections import sections


def first(request: HttpRequest) -> HttpResponse:
    section = next(iter(sections(standing_of(request))), None)
    if section is None:
        raise Http404("There is nothing to set for this role.")
    return redirect(section.url)
