"""Keys of providers: one's own, the team's, the organisation's. Tried live, then write-only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from asgiref.sync import async_to_sync
from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from providers import credentials, gateway
from providers.credentials import CredentialRefused, Holder, rotation
from providers.credentials.opened import PUT_ASIDE_S
from providers.credentials.visible import holders_of, visible_to
from providers.models import Credential, CredentialUse, Provider
from providers.people.standing import Standing, standing_of
from providers.views.forms import PageForm, go_on
from providers.views.settings.sections import show

CREDENTIALS = "providers:credentials"
_OVERLAPS = {
    "3600": "an hour",
    "86400": "a day",
    "604800": "a week",
    "0": "not at all: it is revoked at once",
}


class ShareForm(PageForm):
    label = forms.CharField(
        label="Label", required=False, max_length=60, help_text="Such as batch jobs, or 2026."
    )
    weight = forms.FloatField(
        label="Weight",
        initial=1,
        min_value=0,
        help_text="Its share of the prompts among the keys of the same holder. "
        "0: only where the others are refused.",
        widget=forms.NumberInput(attrs={"inputmode": "decimal", "step": "any"}),
    )


class KeyForm(PageForm):
    key = forms.CharField(
        label="API key",
        strip=True,
        max_length=8000,
        help_text="Tried at the provider now, then sealed and never shown again.",
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


class NewForm(KeyForm, ShareForm):
    provider = forms.ModelChoiceField(
        label="Provider",
        queryset=Provider.objects.filter(is_enabled=True).exclude(kind="demo").order_by("name"),
        empty_label=None,
    )
    holder = forms.ChoiceField(label="Whose it is")
    field_order = ("provider", "holder", "key", "label", "weight")

    def __init__(self, data: Any, standing: Standing) -> None:
        super().__init__(data)
        self.holders = holders_of(standing)
        self.fields["holder"].choices = [  # type: ignore[attr-defined]
            (name, _WHOSE[name].format(team=standing.team)) for name in self.holders
        ]


class RotateForm(KeyForm):
    overlap = forms.ChoiceField(
        label="The old key stands in for",
        choices=list(_OVERLAPS.items()),
        help_text="It takes prompts only where the new one is refused, and is then revoked here.",
    )
    field_order = ("key", "overlap")


_WHOSE = {
    "organisation": "The organisation's: for everybody",
    "team": "{team}'s: before the organisation's, for prompts that {team} pays",
    "user": "Mine alone: before all others, for my own prompts",
}


@dataclass(frozen=True)
class Row:
    """`share` of the holder's prompts; `aside_until` None: it is not put aside now."""

    credential: Credential
    holder: str
    share: float
    taken_at: datetime | None
    refused_at: datetime | None
    aside_until: datetime | None
    is_due: bool
    age_days: int


@dataclass(frozen=True)
class CredentialsPage:
    rows: list[Row]
    due: int
    due_days: int
    may_add: bool
    sees_all: bool


@dataclass(frozen=True)
class CredentialPage:
    """`credential` None: a new one."""

    form: PageForm
    title: str
    words: str
    button: str
    credential: Credential | None = None
    holder: str = ""


@require_safe
def credentials_page(request: HttpRequest) -> HttpResponse:
    standing = standing_of(request)
    found = list(visible_to(standing))
    rows = [_row(each, found, standing) for each in found]
    page = CredentialsPage(
        rows=rows,
        due=sum(row.is_due for row in rows),
        due_days=settings.GAIWEB.credentials.remind_after_days,
        may_add=NewForm.base_fields["provider"].queryset.exists(),  # type: ignore[attr-defined]
        sees_all=standing.is_owner,
    )
    return show(request, "credentials", page)


@never_cache
@sensitive_post_parameters("key")
def new(request: HttpRequest) -> HttpResponse:
    standing = standing_of(request)
    form = NewForm(request.POST or None, standing)
    if form.is_valid():
        given = form.cleaned_data
        provider: Provider = given["provider"]
        if _is_good(form, provider):
            try:
                credentials.add(
                    provider,
                    given["key"],
                    form.holders[given["holder"]],
                    label=given["label"],
                    weight=given["weight"],
                    by=standing.user,
                )
            except CredentialRefused as fault:
                form.refuse(fault.field, fault.message)
            else:
                return go_on(request, CREDENTIALS, f"The key works, and {provider.name} has it.")
    words = "The nearest wins: a person's own key, then the team's, then the organisation's."
    page = CredentialPage(form, "Add a provider key", words, "Try and save")
    return show(request, "credential", page, form.status)


@never_cache
def edit(request: HttpRequest, credential_id: int) -> HttpResponse:
    credential = _own(request, credential_id)
    initial = {"label": credential.label, "weight": f"{credential.weight:g}"}
    form = ShareForm(request.POST or None, initial=initial)
    if form.is_valid():
        try:
            credentials.change(credential, **form.cleaned_data, by=standing_of(request).user)
        except CredentialRefused as fault:
            form.refuse(fault.field, fault.message)
        else:
            return go_on(request, CREDENTIALS, "The new share is in force.")
    page = CredentialPage(form, "Share of a key", "", "Save", credential, _holder(credential))
    return show(request, "credential", page, form.status)


@never_cache
@sensitive_post_parameters("key")
def rotate(request: HttpRequest, credential_id: int) -> HttpResponse:
    """Try the new key live first; nothing changes where it is refused."""
    old = _own(request, credential_id)
    form = RotateForm(request.POST or None)
    if form.is_valid() and _is_good(form, old.provider):
        given = form.cleaned_data
        try:
            rotation.rotate(
                old,
                given["key"],
                overlap=timedelta(seconds=int(given["overlap"])),
                now=timezone.now(),
                by=standing_of(request).user,
            )
        except CredentialRefused as fault:
            form.refuse(fault.field, fault.message)
        else:
            return go_on(
                request, CREDENTIALS, f"Prompts go to {old.provider.name} with the new key."
            )
    words = "The new key is tried first; from the moment it is saved, prompts go out with it."
    page = CredentialPage(form, "Rotate a key", words, "Try and rotate", old, _holder(old))
    return show(request, "credential", page, form.status)


@require_POST
def revoke(request: HttpRequest, credential_id: int) -> HttpResponse:
    credential = _own(request, credential_id)
    provider = credential.provider.name
    credentials.revoke(credential, by=standing_of(request).user)
    return go_on(
        request, CREDENTIALS, f"The key is forgotten here. Revoke it at {provider} as well."
    )


def _is_good(form: PageForm, provider: Provider) -> bool:
    checked = async_to_sync(gateway.check_key)(provider, form.cleaned_data["key"])
    if not checked.ok:
        form.refuse("key", checked.message)
    return checked.ok


def _own(request: HttpRequest, credential_id: int) -> Credential:
    return get_object_or_404(visible_to(standing_of(request)), pk=credential_id)


def _row(credential: Credential, found: list[Credential], standing: Standing) -> Row:
    now = timezone.now()
    siblings = [each for each in found if _place(each) == _place(credential)]
    whole = sum(each.weight for each in siblings)
    use: CredentialUse = getattr(credential, "use", None) or CredentialUse()
    refused_at = use.refused_at if use.is_refused else None
    aside_until = refused_at and refused_at + timedelta(seconds=PUT_ASIDE_S)
    age = now - credential.created_at
    days = settings.GAIWEB.credentials.remind_after_days
    return Row(
        credential=credential,
        holder="yours" if credential.user_id == standing.user.pk else _holder(credential),
        share=credential.weight / whole if whole else 0.0,
        taken_at=use.taken_at,
        refused_at=refused_at,
        aside_until=aside_until
        if aside_until and aside_until > now and len(siblings) > 1
        else None,
        is_due=credential.ends_at is None and age >= timedelta(days=days),
        age_days=age.days,
    )


def _place(credential: Credential) -> tuple[int, int | None, int | None]:
    return credential.provider_id, credential.team_id, credential.user_id


def _holder(credential: Credential) -> str:
    return Holder(credential.team, credential.user).named
