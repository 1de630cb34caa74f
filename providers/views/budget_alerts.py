"""Notices of budgets in the frame of every page, put away by whoever has read them."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from providers.alerts import shown
from providers.people.standing import standing_of
from providers.views.forms import go_on


@require_POST
def put_away(request: HttpRequest, alert_id: int) -> HttpResponse:
    """Answer a fragment with nothing, which takes the notice out; else go to the budgets."""
    if not shown.put_away(alert_id, standing_of(request)):
        raise Http404("There is no such notice for you.")
    if request.headers.get("HX-Request") == "true":
        return HttpResponse("")
    return go_on(request, "providers:budgets")
