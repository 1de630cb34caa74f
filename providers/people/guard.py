"""The middleware that asks the table of permissions before any view runs."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import resolve_url
from django.utils.deprecation import MiddlewareMixin

from providers.models import User
from providers.people.permissions import Capability, required, who_may
from providers.people.standing import standing_of_user


class PermissionGuard(MiddlewareMixin):
    """Put `request.standing` there for a signed-in person, and refuse what the role may not.

    An address that is not in the table is refused to everybody.
    """

    def process_view(self, request: HttpRequest, *_view: Any) -> HttpResponseBase | None:
        match = request.resolver_match
        capability = required(match.view_name) if match else None
        if capability is None:
            raise PermissionDenied("This address is not in the table of permissions.")
        if isinstance(request.user, User):
            request.standing = standing_of_user(request.user)  # type: ignore[attr-defined]
        if capability in {Capability.PUBLIC, Capability.OWN_AUTH}:
            return None
        standing = getattr(request, "standing", None)
        if standing is None:
            return _to_sign_in(request)
        if not standing.may(capability):
            raise PermissionDenied(_refusal(capability))
        return None


def _to_sign_in(request: HttpRequest) -> HttpResponseBase:
    """Send a page to sign-in and back; tell a fragment's request to take its page there."""
    if request.headers.get("HX-Request") == "true":
        return HttpResponse(status=401, headers={"HX-Redirect": resolve_url("account_login")})
    back = request.get_full_path() if request.method == "GET" else "/"
    return redirect_to_login(back)


def _refusal(capability: Capability) -> str:
    return (
        f"Your role may not {capability.value}. Roles that may: {who_may(capability)}. "
        "Ask an owner or your team's admin to change yours."
    )
