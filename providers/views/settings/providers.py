"""Providers and their keys: connect, test live, change, switch off, remove. Keys are write-only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from asgiref.sync import sync_to_async
from django import forms
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import aget_object_or_404, get_object_or_404, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from providers import catalog, gateway
from providers.catalog import providers as verbs
from providers.catalog.presets import address_of, preset_of
from providers.catalog.vendors import VENDORS, Vendor
from providers.credentials import Checked
from providers.engine.routes import DEMO_MODELS
from providers.health.probe import record
from providers.models import Credential, Probe, Provider
from providers.people.standing import standing_of
from providers.views.forms import PageForm, go_on, say_refused
from providers.views.settings.sections import show

PROVIDERS = "providers:providers"


class ConnectionForm(PageForm):
    base_url = forms.CharField(label="Base URL", required=False, max_length=500)
    key = forms.CharField(
        label="API key",
        required=False,
        strip=True,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    is_local = forms.BooleanField(
        label="It is in my own network: allow http, and private addresses", required=False
    )

    @property
    def address(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in ("base_url", "is_local")}

    def refuse_of(self, fault: catalog.CatalogError) -> None:
        self.refuse(fault.field, fault.message)


class NewForm(ConnectionForm):
    vendor = forms.ChoiceField(
        label="What to connect",
        choices=[(vendor.id, vendor.label) for vendor in VENDORS.values()],
        initial="openai",
        widget=forms.RadioSelect,
    )
    name = forms.CharField(
        label="Name", max_length=64, help_text="Small letters, digits, - and _. Routes refer to it."
    )

    @property
    def kind(self) -> str:
        """The wire format or preset of the chosen card."""
        return VENDORS[self.cleaned_data["vendor"]].kind

    @property
    def address(self) -> dict[str, Any]:
        """Take what is typed only from a card that asks for it; on others it is out of sight."""
        if VENDORS[self.cleaned_data["vendor"]].asks_address:
            return super().address
        return {"base_url": "", "is_local": False}


@dataclass(frozen=True)
class Row:
    """`key` is the organisation's, of `keys` the one with the most weight; None: there is none."""

    id: int
    name: str
    kind: str
    address: str
    key: Credential | None
    keys: int
    needs_key: bool
    is_enabled: bool
    from_environment: bool
    models: list[str]
    probe: Probe | None


@dataclass(frozen=True)
class ProvidersPage:
    rows: list[Row]


@dataclass(frozen=True)
class ProviderPage:
    """`row` None: a new one. `demo` tells what each of the demo's models does; empty for others."""

    form: ConnectionForm
    vendors: list[Vendor]
    row: Row | None = None
    demo: Mapping[str, str] = field(default_factory=dict[str, str])
    has_faults: bool = False


@dataclass(frozen=True)
class CheckPage:
    checked: Checked
    provider: Provider | None


@require_safe
def providers_page(request: HttpRequest) -> HttpResponse:
    return show(request, "providers", ProvidersPage([_row(each) for each in _providers()]))


@never_cache
@sensitive_post_parameters("key")
def new(request: HttpRequest) -> HttpResponse:
    vendor = request.GET.get("vendor", "openai")
    form = NewForm(request.POST or None, initial={"vendor": vendor, "name": vendor})
    if form.is_valid():
        try:
            provider = catalog.add_provider(
                name=form.cleaned_data["name"],
                kind=form.kind,
                by=standing_of(request).user,
                **_values(form),
            )
        except catalog.CatalogError as fault:
            form.refuse_of(fault)
        else:
            return _connected(request, provider, VENDORS[form.cleaned_data["vendor"]])
    return show(request, "provider", ProviderPage(form, list(VENDORS.values())), form.status)


@never_cache
@sensitive_post_parameters("key")
def edit(request: HttpRequest, provider_id: int) -> HttpResponse:
    provider = get_object_or_404(_providers(), pk=provider_id)
    row = _row(provider)
    initial = {"base_url": provider.base_url, "is_local": provider.is_local}
    form = ConnectionForm(request.POST or None, initial=initial)
    if form.is_valid():
        try:
            catalog.add_provider(
                name=provider.name,
                kind=provider.preset or provider.kind,
                by=standing_of(request).user,
                **_values(form),
            )
        except catalog.CatalogError as fault:
            form.refuse_of(fault)
        else:
            return go_on(request, PROVIDERS, f"{provider.name} is saved.")
    demo = DEMO_MODELS if provider.kind == "demo" else {}
    page = ProviderPage(form, [], row, demo, provider.has_faults)
    return show(request, "provider", page, form.status)


@never_cache
@require_POST
@sensitive_post_parameters("key")
async def test(request: HttpRequest) -> HttpResponse:
    """Ask the provider that the form describes; nothing is saved."""
    form = NewForm(request.POST)
    form.fields["name"].required = False
    if not form.is_valid():
        return await _answer(request, _not_asked("Choose what to connect."))
    secret = form.cleaned_data["key"]
    return await _answer(request, await _try(form.kind, form.address, secret))


@never_cache
@require_POST
@sensitive_post_parameters("key")
async def check(request: HttpRequest, provider_id: int) -> HttpResponse:
    """Ask a saved provider, with the key that is typed or else with the stored one."""
    provider = await aget_object_or_404(Provider, pk=provider_id)
    form = ConnectionForm(request.POST)
    if form.is_valid() and form.cleaned_data["key"]:
        tried = await _try(provider.preset or provider.kind, form.address, form.cleaned_data["key"])
        return await _answer(request, tried)
    checked = await gateway.check_saved(provider)
    await sync_to_async(_keep)(provider, checked)
    return await _answer(request, checked, provider)


async def _try(kind: str, address: dict[str, Any], secret: str) -> Checked:
    try:
        draft = verbs.draft(kind=kind, **address)
    except catalog.CatalogError as fault:
        return _not_asked(fault.message)
    if not secret and preset_of(draft).needs_key and not draft.is_local:
        return _not_asked("Paste a key, then test it.")
    return await gateway.check_key(draft, secret or None)


def _keep(provider: Provider, checked: Checked) -> None:
    """Keep what a test of the stored key found: the health page shows it, too."""
    record(dict.fromkeys(provider.deployments.values_list("pk", flat=True), checked))


@require_POST
def switch(request: HttpRequest, provider_id: int) -> HttpResponse:
    provider = get_object_or_404(Provider, pk=provider_id)
    try:
        user = standing_of(request).user
        verbs.set_enabled(provider, is_enabled=not provider.is_enabled, by=user)
    except catalog.CatalogError as fault:
        return say_refused(request, PROVIDERS, fault.message)
    state = "takes prompts again" if provider.is_enabled else "takes no more prompts"
    return go_on(request, PROVIDERS, f"{provider.name} {state}.")


@require_POST
def switch_faults(request: HttpRequest, provider_id: int) -> HttpResponse:
    provider = get_object_or_404(Provider, pk=provider_id, kind="demo")
    verbs.set_faults(provider, has_faults=not provider.has_faults, by=standing_of(request).user)
    state = "fail to order" if provider.has_faults else "are well and answer"
    return go_on(request, PROVIDERS, f"The faulty models of {provider.name} {state}.")


@require_POST
def remove(request: HttpRequest, provider_id: int) -> HttpResponse:
    provider = get_object_or_404(Provider, pk=provider_id)
    try:
        catalog.remove_provider(provider, by=standing_of(request).user)
    except catalog.CatalogError as fault:
        return say_refused(request, PROVIDERS, fault.message)
    return go_on(request, PROVIDERS, f"{provider.name} is removed, with its key.")


def _connected(request: HttpRequest, provider: Provider, vendor: Vendor) -> HttpResponse:
    """Go on to a route for it: a provider alone answers nothing yet."""
    if provider.kind == "demo":
        route = catalog.lead_demo_route(provider, standing_of(request).user)
        return go_on(request, PROVIDERS, f"{provider.name} answers on the route {route.name}.")
    query = urlencode({"provider": provider.name, "model": vendor.model})
    words = f"{provider.name} is connected. Now give a model of it a public name."
    return go_on(request, f"{reverse('providers:route_new')}?{query}", words)


def _values(form: ConnectionForm) -> dict[str, Any]:
    return {**form.address, "secret": form.cleaned_data["key"] or None}


def _providers() -> Any:
    credentials = Credential.objects.filter(team=None, user=None).select_related("created_by")
    credentials = credentials.order_by("-weight", "pk")
    return (
        Provider.objects
        .order_by("name")
        .prefetch_related("deployments")
        .prefetch_related(Prefetch("credentials", credentials, to_attr="own_credentials"))
    )


def _row(provider: Provider) -> Row:
    preset = preset_of(provider)
    keys: list[Credential] = provider.own_credentials  # type: ignore[attr-defined]  # prefetched
    probes = Probe.objects.filter(deployment__provider=provider).order_by("-at", "-pk")
    return Row(
        id=provider.pk,
        name=provider.name,
        kind=preset.label,
        address=address_of(provider),
        key=next(iter(keys), None),
        keys=len(keys),
        needs_key=preset.needs_key and not provider.is_local,
        is_enabled=provider.is_enabled,
        from_environment=provider.from_environment,
        models=[deployment.model for deployment in provider.deployments.all()],
        probe=probes.first(),
    )


def _not_asked(words: str) -> Checked:
    return Checked(ok=False, message=words, latency_ms=0, code="not_asked")


async def _answer(
    request: HttpRequest, checked: Checked, provider: Provider | None = None
) -> HttpResponse:
    """Say it in words; `provider` is given when its state on the list changes with it."""
    page = CheckPage(checked, provider)
    return await sync_to_async(render)(request, "providers/settings/check.html", {"page": page})
