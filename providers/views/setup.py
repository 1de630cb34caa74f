"""The set-up wizard: the owner's account, a provider, a guard rail. Nothing in it blocks."""

from __future__ import annotations

from django import forms
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from providers.people import accounts, links
from providers.people.errors import PeopleError
from providers.views.sign_in import BACKEND


class OwnerForm(forms.Form):
    email = forms.EmailField(
        label="E-mail address",
        help_text="Your name here. Nothing is sent to it.",
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}),
    )
    password = forms.CharField(
        label="Password",
        strip=False,
        help_text="At least 10 characters. A few words make a good one.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )


@never_cache
@sensitive_post_parameters("password")
def owner(request: HttpRequest, token: str) -> HttpResponse:
    link = links.find(token)
    if link is None or link.user is not None:
        return render(request, "providers/link_gone.html", status=404)
    form = OwnerForm(request.POST or None)
    if form.is_valid():
        try:
            user = accounts.accept_setup(link, **form.cleaned_data)
        except PeopleError as fault:
            form.add_error(fault.field or None, fault.message)
        else:
            login(request, user, backend=BACKEND)
            return redirect("home")
    page = {"form": form, "step": 1}
    return render(request, "providers/setup/owner.html", page, status=422 if form.errors else 200)
