"""The set-up wizard: the owner's account, a provider, a guard rail. Nothing in it blocks."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlencode

from django import forms
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from providers import catalog
from providers.catalog import OwnPrice
from providers.catalog.vendors import VENDORS, Connection, Vendor, connect
from providers.ledger import budgets
from providers.ledger.budgets import InvalidBudget
from providers.models import Budget, Provider, Scope
from providers.people import accounts, links
from providers.people.errors import PeopleError
from providers.people.standing import standing_of
from providers.views.forms import PageForm, go_on
from providers.views.shell import places
from providers.views.sign_in import BACKEND


class OwnerForm(PageForm):
    email = forms.EmailField(
        label="E-mail address",
        help_text="You sign in with it. Nothing is sent to it.",
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}),
    )
    password = forms.CharField(
        label="Password",
        strip=False,
        help_text="At least 10 characters. A few words make a good one.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )


def _price(label: str) -> forms.DecimalField:
    widget = forms.NumberInput(attrs={"inputmode": "decimal", "step": "any", "min": "0"})
    return forms.DecimalField(label=label, required=False, min_value=Decimal(0), widget=widget)


class ProviderForm(PageForm):
    vendor = forms.ChoiceField(
        label="Where prompts are answered",
        choices=[(vendor.id, vendor.label) for vendor in VENDORS.values()],
        initial="demo",
        widget=forms.RadioSelect,
    )
    base_url = forms.CharField(
        label="Base URL", required=False, help_text="Such as https://api.groq.com/openai/v1"
    )
    is_local = forms.BooleanField(
        label="It is in my own network: allow http, and private addresses", required=False
    )
    key = forms.CharField(
        label="API key",
        required=False,
        help_text="Tested as soon as it is pasted. Sealed when saved, never shown again.",
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    model = forms.CharField(
        label="Model to begin with", required=False, help_text="You can add others later."
    )
    input_price = _price("Input price, dollars per million tokens")
    output_price = _price("Output price, dollars per million tokens")

    @property
    def prices(self) -> OwnPrice | None:
        values = self.cleaned_data
        if VENDORS[values["vendor"]].asks_address and values["input_price"] is not None:
            return OwnPrice(values["input_price"], values["output_price"])
        return None

    def clean(self) -> None:
        one, other = self.cleaned_data.get("input_price"), self.cleaned_data.get("output_price")
        if (one is None) != (other is None):
            self.add_error("output_price", "Give both prices, or none.")


class GuardForm(PageForm):
    limit = forms.DecimalField(
        label="US dollars a month",
        min_value=Decimal(0),
        decimal_places=2,
        initial=Decimal(20),
        widget=forms.NumberInput(attrs={"inputmode": "decimal", "step": "0.01"}),
    )
    is_hard = forms.BooleanField(
        label="Stop at the limit: refuse what might pass it", required=False, initial=True
    )


@dataclass(frozen=True)
class SetupPage:
    """One step of three. `found` are providers whose key was in the environment."""

    step: int
    form: PageForm
    vendors: tuple[Vendor, ...] = ()
    found: tuple[str, ...] = ()


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
            form.refuse(fault.field, fault.message)
        else:
            login(request, user, backend=BACKEND)
            return redirect("providers:setup_provider")
    return _show(request, "owner", SetupPage(1, form))


@never_cache
@sensitive_post_parameters("key")
def provider(request: HttpRequest) -> HttpResponse:
    form = ProviderForm(request.POST or None)
    if form.is_valid():
        try:
            _connect(request, form)
        except catalog.CatalogError as fault:
            form.refuse(fault.field, fault.message)
        else:
            return go_on(request, "providers:setup_budget")
    found = Provider.objects.filter(from_environment=True, is_enabled=True).order_by("name")
    names = tuple(found.values_list("name", flat=True))
    return _show(request, "provider", SetupPage(2, form, tuple(VENDORS.values()), names))


def guard_rail(request: HttpRequest) -> HttpResponse:
    now = Budget.objects.filter(scope=Scope.ORGANISATION, period="month").first()
    form = GuardForm(request.POST or None)
    if form.is_valid():
        try:
            budgets.set_budget(
                scope=budgets.parse_scope("org"),
                limit_usd=form.cleaned_data["limit"],
                period="month",
                is_hard=form.cleaned_data["is_hard"],
                by=standing_of(request).user,
            )
        except InvalidBudget as fault:
            form.refuse(fault.field, fault.message)
        else:
            return go_on(request, _playground(request))
    page = SetupPage(3, form)
    return _show(request, "budget", page, skip_url=_playground(request), stands=now is not None)


def _connect(request: HttpRequest, form: ProviderForm) -> None:
    values = form.cleaned_data
    wanted = Connection(
        vendor=VENDORS[values["vendor"]],
        address=values["base_url"],
        is_local=values["is_local"],
        secret=values["key"],
        model=values["model"],
        prices=form.prices,
    )
    route = connect(wanted, by=standing_of(request).user)
    request.session["setup_route"] = route.name


def _playground(request: HttpRequest) -> str:
    """Where the wizard ends: the model is chosen, a prompt written; only Run is left to press."""
    start = next(
        (place.url for place in places(request, standing_of(request))), resolve_url("home")
    )
    route = request.session.get("setup_route")
    return f"{start}?{urlencode({'model': route})}" if route else start


def _show(request: HttpRequest, name: str, page: SetupPage, **more: object) -> HttpResponse:
    context = {"page": page, "test_url": reverse("providers:provider_test"), **more}
    return render(request, f"providers/setup/{name}.html", context, status=page.form.status)
