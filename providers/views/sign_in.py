"""Invitations, the choice of the active team, and what a fresh installation says."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import LoginForm
from django import forms
from django.contrib.auth import login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from providers.people import accounts, links
from providers.people.errors import PeopleError
from providers.people.standing import standing_of
from providers.people.teams import choose_team as choose

BACKEND = "django.contrib.auth.backends.ModelBackend"


class SignInForm(LoginForm):  # type: ignore[misc]  # untyped library
    def __init__(self, *words: Any, **fields: Any) -> None:
        super().__init__(*words, **fields)
        self.fields["login"].label = "E-mail address"
        for field in self.fields.values():
            field.widget.attrs.pop("placeholder", None)


class PasswordForm(forms.Form):
    password = forms.CharField(
        label="New password",
        strip=False,
        help_text="At least 10 characters. A few words make a good one.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "autofocus": True}),
    )


@never_cache
@sensitive_post_parameters("password")
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    link = links.find(token)
    if link is None or link.user is None:
        return render(request, "providers/link_gone.html", status=404)
    form = PasswordForm(request.POST or None)
    if form.is_valid():
        try:
            user = accounts.accept_invitation(link, password=form.cleaned_data["password"])
        except PeopleError as fault:
            form.add_error(fault.field or None, fault.message)
        else:
            login(request, user, backend=BACKEND)
            return redirect("home")
    page = {"form": form, "email": link.user.email}
    return render(request, "providers/invitation.html", page, status=422 if form.errors else 200)


@require_safe
def setup_needed(request: HttpRequest) -> HttpResponse:
    if accounts.owner_exists():
        return redirect("home")
    return render(request, "providers/setup_needed.html")


@require_POST
def choose_team(request: HttpRequest) -> HttpResponse:
    wanted = request.POST.get("team", "")
    try:
        choose(standing_of(request).user, int(wanted) if wanted.isdecimal() else 0)
    except PeopleError as fault:
        raise Http404(fault.message) from None
    back = request.headers.get("Referer", "")
    here = url_has_allowed_host_and_scheme(back, {request.get_host()}, request.is_secure())
    return redirect(back if here else "home")
