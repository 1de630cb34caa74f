"""Quotas of one key, person or team, beside the budgets."""

from __future__ import annotations

from dataclasses import dataclass

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone

from providers.ledger import budgets
from providers.ledger.budgets import InvalidBudget
from providers.models import Quota, Team, User, VirtualKey
from providers.people.standing import Standing, standing_of
from providers.quotas import kept, today
from providers.quotas.kept import Allowance
from providers.quotas.visible import visible_to
from providers.views.forms import PageForm, go_on
from providers.views.settings.sections import show


def _number(label: str, help_text: str = "") -> forms.IntegerField:
    return forms.IntegerField(
        label=label, required=False, min_value=1, max_value=kept.MOST, help_text=help_text
    )


class QuotaForm(PageForm):
    scope = forms.ChoiceField(label="For")
    rpm = _number("Requests a minute", "Empty: as configured for everybody.")
    tpm = _number("Tokens a minute", "Prompt and answer.")
    parallel = _number("Requests open at once")
    daily_tokens = _number("Tokens a day", "Of the organisation's time zone. Empty: no limit.")

    def __init__(self, data: object = None, row: Quota | None = None) -> None:
        initial = {name: getattr(row, name) for name in _NAMES} if row else {}
        super().__init__(data, initial=initial)  # type: ignore[arg-type]
        if row is None:
            self.fields["scope"].choices = _scopes()  # type: ignore[attr-defined]
        else:
            del self.fields["scope"]

    @property
    def allowance(self) -> Allowance:
        return Allowance(**{name: self.cleaned_data[name] for name in _NAMES})


_NAMES = ("rpm", "tpm", "parallel", "daily_tokens")


@dataclass(frozen=True)
class QuotaRow:
    """What holds for it, own or configured; None: no limit. `used` tokens of today, settled."""

    quota: Quota
    name: str
    kind: str
    rpm: int | None
    tpm: int | None
    parallel: int | None
    used: int

    @property
    def used_percent(self) -> int:
        return min(100, 100 * self.used // (self.quota.daily_tokens or 1))


@dataclass(frozen=True)
class QuotaPage:
    """`name` empty: a new one."""

    form: QuotaForm
    name: str = ""


def rows_for(standing: Standing) -> list[QuotaRow]:
    found = list(visible_to(standing))
    span, _ = today.day_at(timezone.now())
    used = today.used([row.scope for row in found], span.starts_at)
    return [_row(row, used.get(row.scope, 0)) for row in found]


def new(request: HttpRequest) -> HttpResponse:
    form = QuotaForm(request.POST or None)
    if form.is_valid() and _is_kept(request, form, form.cleaned_data["scope"]):
        return go_on(request, "providers:budgets", "The quota is in force.")
    return show(request, "quota", QuotaPage(form), form.status)


def edit(request: HttpRequest, quota_id: int) -> HttpResponse:
    row = get_object_or_404(visible_to(standing_of(request)), pk=quota_id)
    form = QuotaForm(request.POST or None, row)
    if form.is_valid() and _is_kept(request, form, _written(row)):
        return go_on(request, "providers:budgets", "The quota is as you wished.")
    return show(request, "quota", QuotaPage(form, _name(row)), form.status)


def _is_kept(request: HttpRequest, form: QuotaForm, scope: str) -> bool:
    try:
        kept.put(budgets.parse_scope(scope), form.allowance, standing_of(request).user)
    except InvalidBudget as fault:
        form.refuse(fault.field, fault.message)
        return False
    return True


def _row(row: Quota, used: int) -> QuotaRow:
    kind, callers = row.scope.partition(":")[0], settings.GAIWEB.callers
    every = [getattr(callers, f"{kind}_{name}") for name in ("rpm", "tpm", "parallel")]
    own = (row.rpm, row.tpm, row.parallel)
    rpm, tpm, parallel = (a if a is not None else b for a, b in zip(own, every, strict=True))
    return QuotaRow(row, _name(row), _KINDS[kind], rpm, tpm, parallel, used)


_KINDS = {"key": "API key", "user": "Person", "team": "Team"}


def _name(row: Quota) -> str:
    return row.key.prefix if row.key else str(row.user or row.team)


def _written(row: Quota) -> str:
    if row.key is not None:
        return f"key:{row.key.prefix}"
    return f"user:{row.user.email}" if row.user else f"team:{row.team.slug if row.team else ''}"


def _scopes() -> list[tuple[str, object]]:
    teams = Team.objects.order_by("name")
    people = User.objects.filter(is_active=True).order_by("email")
    keys = VirtualKey.objects.filter(revoked_at=None).select_related("user").order_by("name")
    groups: list[tuple[str, object]] = [
        ("Teams", [(f"team:{team.slug}", team.name) for team in teams]),
        ("People", [(f"user:{user.email}", user.email) for user in people]),
        ("API keys", [(f"key:{key.prefix}", f"{key.name} of {key.user}") for key in keys]),
    ]
    return [group for group in groups if group[1]]
