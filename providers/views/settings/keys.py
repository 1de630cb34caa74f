"""API keys of the active team: issue, rotate, revoke. A secret is shown once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from providers import virtual_keys
from providers.engine.tags import LONGEST
from providers.models import Route, Team, VirtualKey
from providers.people.permissions import Capability
from providers.people.standing import Standing, standing_of
from providers.views.forms import PageForm, go_on
from providers.views.settings.sections import show
from providers.virtual_keys import Lifetime, Terms
from providers.virtual_keys.visible import own, visible_to

KEYS = "providers:keys"


class IssueForm(PageForm):
    name = forms.CharField(
        label="Name", max_length=120, help_text="Where it is used, such as laptop or billing job."
    )
    days = forms.TypedChoiceField(
        label="Works",
        coerce=int,
        choices=[("0", "until revoked"), ("30", "30 days"), ("90", "90 days"), ("365", "a year")],
    )
    tag = forms.CharField(
        label="Tag",
        required=False,
        max_length=LONGEST,
        help_text="What its requests are for, such as checkout; they may name another.",
    )
    routes = forms.MultipleChoiceField(
        label="Only these routes", required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        names = Route.objects.order_by("name").values_list("name", flat=True)
        self.fields["routes"].choices = [(name, name) for name in names]  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Key:
    """`routes` empty: every route. `tag` empty: none."""

    id: int
    name: str
    prefix: str
    owner: str
    routes: list[str]
    tag: str
    is_yours: bool
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    is_expired: bool


@dataclass(frozen=True)
class KeysPage:
    """`secret` is shown once, right after it was made; it cannot be read again."""

    team: Team
    keys: list[Key]
    form: IssueForm
    sees_team: bool
    address: str
    model: str
    secret: str | None = None
    secret_of: str = ""


@require_safe
def keys_page(request: HttpRequest) -> HttpResponse:
    return show(request, "keys", _page(request, IssueForm()))


@never_cache
@require_POST
def issue(request: HttpRequest) -> HttpResponse:
    form = IssueForm(request.POST)
    standing = standing_of(request)
    if form.is_valid():
        days = form.cleaned_data["days"]
        try:
            key, secret = virtual_keys.issue(
                user=standing.user,
                team=_team(standing),
                name=form.cleaned_data["name"],
                terms=Terms(
                    form.cleaned_data["routes"],
                    Lifetime(timedelta(days=days) if days else None),
                    form.cleaned_data["tag"],
                ),
                by=standing.user,
            )
        except virtual_keys.KeyRefused as fault:
            form.refuse(fault.field, _WORDS.get(fault.field, str(fault)))
        else:
            return show(request, "keys", _page(request, IssueForm(), secret, key.name))
    return show(request, "keys", _page(request, form), form.status)


@never_cache
@require_POST
def rotate(request: HttpRequest, key_id: int) -> HttpResponse:
    old = get_object_or_404(own(standing_of(request)), pk=key_id)
    key, secret = virtual_keys.issue(
        user=old.user,
        team=old.team,
        name=old.name,
        rotate=True,
        by=old.user,
    )
    return show(request, "keys", _page(request, IssueForm(), secret, key.name))


@require_POST
def revoke(request: HttpRequest, key_id: int) -> HttpResponse:
    key = get_object_or_404(visible_to(standing_of(request)), pk=key_id)
    virtual_keys.revoke(key, by=standing_of(request).user)
    return go_on(request, KEYS, f"The key {key.name} is revoked. It stopped working.")


_WORDS = {
    "name": "You have a key of this name. Rotate that one, or choose another name.",
    "team": "Your role may not spend for this team. Ask its admin to make you a member.",
}


def _page(
    request: HttpRequest, form: IssueForm, secret: str | None = None, secret_of: str = ""
) -> KeysPage:
    standing = standing_of(request)
    return KeysPage(
        team=_team(standing),
        keys=[_key(row, standing) for row in visible_to(standing)],
        form=form,
        sees_team=standing.may(Capability.MANAGE_TEAM_KEYS),
        address=request.build_absolute_uri("/v1"),
        model=Route.objects.filter(is_enabled=True).values_list("name", flat=True).first()
        or "demo",
        secret=secret,
        secret_of=secret_of,
    )


def _key(row: VirtualKey, standing: Standing) -> Key:
    return Key(
        id=row.pk,
        name=row.name,
        prefix=row.prefix,
        owner=row.user.email,
        routes=row.routes,
        tag=row.tag,
        is_yours=row.user_id == standing.user.pk,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        expires_at=row.expires_at,
        is_expired=row.expires_at is not None and row.expires_at <= timezone.now(),
    )


def _team(standing: Standing) -> Team:
    if standing.team is None:
        raise Http404("There is no team yet.")
    return standing.team
