"""A budget made, changed and removed; what a change does is told before it is saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_POST

from providers.alerts.words import name_of
from providers.engine.tags import LONGEST
from providers.ledger import budgets, manners
from providers.ledger.budgets import ChangedMeanwhile, InvalidBudget, Policy, ScopeRef
from providers.ledger.effects import Effect, Manner, Used, effect_of
from providers.ledger.explained import used_since
from providers.ledger.money import to_decimal, to_nano
from providers.ledger.visible import budgets_visible_to
from providers.ledger.windows import Cycle, window_at
from providers.models import THRESHOLDS, Budget, Period, Route, Scope, Team, User, VirtualKey
from providers.people.standing import standing_of
from providers.views.forms import PageForm, go_on
from providers.views.settings.budgets import BUDGETS
from providers.views.settings.sections import show

_PERIODS = [
    (Period.DAY.value, "every day"),
    (Period.WEEK.value, "every week"),
    (Period.MONTH.value, "every month"),
    (Period.TOTAL.value, "never: one sum for good"),
]
_KINDS = [
    ("hard", "Hard: a prompt that might pass the limit is refused before it is sent"),
    ("degrade", "Cheaper: another route answers what does not fit, and is counted"),
    ("soft", "Soft: it only warns, prompts go on"),
]
_EFFECT = "effect"


class LimitForm(PageForm):
    limit = forms.DecimalField(
        label="Limit in US dollars",
        min_value=Decimal(0),
        decimal_places=2,
        widget=forms.NumberInput(attrs={"inputmode": "decimal", "step": "0.01"}),
    )
    kind = forms.ChoiceField(
        label="At the limit", choices=_KINDS, initial="hard", widget=forms.RadioSelect
    )
    degrade_to = forms.ChoiceField(
        label="Cheaper route",
        required=False,
        help_text="Only for “Cheaper”. Every hard budget binds it as well.",
    )
    time_zone = forms.CharField(
        label="Time zone", required=False, max_length=64, help_text="Such as Europe/Berlin."
    )
    starts_on = forms.IntegerField(
        label="Starts on day",
        required=False,
        min_value=1,
        max_value=28,
        help_text="Of a week 1 (Monday) to 7, of a month 1 to 28.",
    )
    thresholds = forms.CharField(
        label="Told at, in percent",
        required=False,
        max_length=60,
        help_text="Each once a period, such as 50, 80, 100.",
    )
    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, data: object = None, initial: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, initial=initial)  # type: ignore[arg-type]
        names = list(
            Route.objects.filter(is_enabled=True).order_by("name").values_list("name", flat=True)
        )
        kept = (initial or {}).get("degrade_to", "")
        names += [kept] if kept and kept not in names else []
        self.fields["degrade_to"].choices = [  # type: ignore[attr-defined]
            ("", "Choose a route"),
            *((name, name) for name in names),
        ]

    def clean_thresholds(self) -> tuple[int, ...] | None:
        words = [
            word.strip().removesuffix("%").strip()
            for word in self.cleaned_data["thresholds"].split(",")
            if word.strip()
        ]
        if not all(word.isdecimal() for word in words):
            raise forms.ValidationError("Write percents, split by commas.")
        return tuple(int(word) for word in words) or None

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("kind") == "degrade" and not values.get("degrade_to"):
            self.add_error("degrade_to", "Choose the route that answers then.")
        return values

    @property
    def is_hard(self) -> bool:
        return bool(self.cleaned_data["kind"] == "hard")

    @property
    def policy(self) -> Policy:
        values = self.cleaned_data
        return Policy(
            degrade_to=values["degrade_to"] if values["kind"] == "degrade" else "",
            time_zone=values["time_zone"] or None,
            starts_on=values["starts_on"],
            thresholds=values["thresholds"],
        )


class BudgetForm(LimitForm):
    scope = forms.ChoiceField(label="For")
    tag = forms.CharField(
        label="Which tag",
        required=False,
        max_length=LONGEST,
        help_text="Only for a tag, such as checkout.",
    )
    period = forms.ChoiceField(label="Starts anew", choices=_PERIODS, initial="month")
    field_order = ("scope", "tag", "period", "limit", "kind")

    def __init__(self, data: object = None) -> None:
        super().__init__(data, {"thresholds": ", ".join(map(str, THRESHOLDS))})
        self.fields["scope"].choices = _scopes()  # type: ignore[attr-defined]

    def ref(self) -> ScopeRef:
        """Raise InvalidBudget."""
        values = self.cleaned_data
        if values["scope"] != Scope.TAG:
            return budgets.parse_scope(values["scope"])
        try:
            return budgets.parse_scope(f"tag:{values['tag']}")
        except InvalidBudget as fault:
            raise InvalidBudget("tag", fault.message) from None


@dataclass(frozen=True)
class BudgetPage:
    """`budget` None: a new one. `effect` None: nothing to tell yet."""

    form: PageForm
    budget: Budget | None = None
    name: str = ""
    effect: Effect | None = None


def new(request: HttpRequest) -> HttpResponse:
    form = BudgetForm(request.POST or None)
    effect: Effect | None = None
    if form.is_valid():
        try:
            effect = _effect_of_new(form)
            if _is_to_save(request):
                budgets.set_budget(
                    scope=form.ref(),
                    limit_usd=form.cleaned_data["limit"],
                    period=form.cleaned_data["period"],
                    is_hard=form.is_hard,
                    policy=form.policy,
                    by=standing_of(request).user,
                )
                return go_on(request, BUDGETS, "The budget is in force.")
        except InvalidBudget as fault:
            form.refuse(fault.field, fault.message)
    return show(request, "budget", BudgetPage(form, effect=effect), form.status)


def edit(request: HttpRequest, budget_id: int) -> HttpResponse:
    budget = get_object_or_404(budgets_visible_to(standing_of(request)), pk=budget_id)
    form = LimitForm(request.POST or None, initial=_now(budget))
    effect = _effect(budget, _manner(budget)) if not form.is_bound else None
    if form.is_valid():
        try:
            effect = _effect(budget, _wished(form, budget.period, budget))
            if _is_to_save(request):
                budgets.change_budget(
                    budget,
                    limit_usd=form.cleaned_data["limit"],
                    is_hard=form.is_hard,
                    policy=form.policy,
                    by=standing_of(request).user,
                    seen=form.cleaned_data["seen"] or None,
                )
                return go_on(request, BUDGETS, "The new limit is in force.")
        except InvalidBudget as fault:
            form.refuse(fault.field, fault.message)
            if isinstance(fault, ChangedMeanwhile):
                budget.refresh_from_db()
                effect = _effect(budget, _manner(budget))
                form.data = request.POST.copy()
                form.data["seen"] = budgets.stamp_of(budget)
    page = BudgetPage(form, budget, name_of(budget), effect)
    return show(request, "budget", page, form.status)


@require_POST
def remove(request: HttpRequest, budget_id: int) -> HttpResponse:
    budget = get_object_or_404(budgets_visible_to(standing_of(request)), pk=budget_id)
    budgets.remove_budget(budget, by=standing_of(request).user)
    return go_on(request, BUDGETS, "The budget is removed. What was spent stays in the books.")


def _is_to_save(request: HttpRequest) -> bool:
    return request.POST.get("step") != _EFFECT


def _now(budget: Budget) -> dict[str, Any]:
    kind = "hard" if budget.is_hard else "degrade" if budget.degrade_to else "soft"
    return {
        "limit": to_decimal(budget.limit_nano),
        "kind": kind,
        "degrade_to": budget.degrade_to,
        "time_zone": budget.time_zone,
        "starts_on": budget.starts_on,
        "thresholds": ", ".join(map(str, budget.thresholds)),
        "seen": budgets.stamp_of(budget),
    }


def _effect_of_new(form: BudgetForm) -> Effect:
    ref, period = form.ref(), form.cleaned_data["period"]
    known = Budget.objects.filter(scope=ref.scope, period=period, **ref.columns).first()
    budget = known or Budget(scope=ref.scope, period=period, **ref.columns)
    return _effect(budget, _wished(form, period, known), is_new=known is None)


def _effect(budget: Budget, wished: Manner, *, is_new: bool = False) -> Effect:
    now = timezone.now()
    spent, held = used_since(budget, window_at(wished.cycle, now).starts_at)
    used = Used(_who(budget), spent, held)
    return effect_of(None if is_new else _manner(budget), wished, used, now)


def _who(budget: Budget) -> str:
    if budget.key is not None:
        return f"The key {budget.key.prefix}"
    if budget.tag:
        return f"The tag {budget.tag}"
    return str(budget.team or budget.user or "The organisation")


def _manner(budget: Budget) -> Manner:
    cycle = Cycle(budget.period, budget.time_zone, budget.starts_on)
    return Manner(budget.limit_nano, budget.is_hard, budget.degrade_to, cycle)


def _wished(form: LimitForm, period: str, known: Budget | None) -> Manner:
    """Raise InvalidBudget."""
    columns = manners.checked(period, form.policy, known, is_hard=form.is_hard)
    cycle = Cycle(period, columns["time_zone"], columns["starts_on"])
    limit = to_nano(form.cleaned_data["limit"])
    return Manner(limit, form.is_hard, columns["degrade_to"], cycle)


def _scopes() -> list[tuple[str, object]]:
    teams = Team.objects.order_by("name")
    people = User.objects.filter(is_active=True).order_by("email")
    keys = VirtualKey.objects.filter(revoked_at=None).select_related("user").order_by("name")
    groups: list[tuple[str, object]] = [
        (Scope.ORGANISATION.value, "The whole organisation"),
        ("Teams", [(f"team:{team.slug}", team.name) for team in teams]),
        ("People", [(f"user:{user.email}", user.email) for user in people]),
        ("API keys", [(f"key:{key.prefix}", f"{key.name} of {key.user}") for key in keys]),
        (Scope.TAG.value, "A tag"),
    ]
    return [group for group in groups if group[1]]
