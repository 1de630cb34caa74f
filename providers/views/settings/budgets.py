"""Budgets: what is spent, held and left; owners set and remove them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_POST, require_safe

from providers.ledger import budgets
from providers.ledger.balances import Balance
from providers.ledger.budgets import InvalidBudget
from providers.ledger.money import to_decimal, usd
from providers.ledger.visible import balances_visible_to, budgets_visible_to
from providers.models import Budget, Period, Scope, Team, User, VirtualKey
from providers.people.permissions import Capability
from providers.people.standing import standing_of
from providers.views.forms import PageForm, go_on
from providers.views.settings.sections import show

BUDGETS = "providers:budgets"
_PERIODS = [
    (Period.DAY.value, "every day"),
    (Period.WEEK.value, "every week"),
    (Period.MONTH.value, "every month"),
    (Period.TOTAL.value, "never: one sum for good"),
]
_HARD = [
    ("hard", "Hard: a prompt that might pass the limit is refused before it is sent"),
    ("soft", "Soft: it only warns, prompts go on"),
]


class LimitForm(PageForm):
    limit = forms.DecimalField(
        label="Limit in US dollars",
        min_value=Decimal(0),
        decimal_places=2,
        widget=forms.NumberInput(attrs={"inputmode": "decimal", "step": "0.01"}),
    )
    kind = forms.ChoiceField(
        label="At the limit", choices=_HARD, initial="hard", widget=forms.RadioSelect
    )


class BudgetForm(LimitForm):
    scope = forms.ChoiceField(label="For")
    period = forms.ChoiceField(label="Starts anew", choices=_PERIODS, initial="month")
    field_order = ("scope", "period", "limit", "kind")

    def __init__(self, data: object = None) -> None:
        super().__init__(data)  # type: ignore[arg-type]
        self.fields["scope"].choices = _scopes()  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Row:
    """`percent` of the limit that is spent or held; `tone` says it in a word of the style."""

    balance: Balance
    limit: str
    spent: str
    held: str
    left: str
    percent: int
    is_over: bool


@dataclass(frozen=True)
class BudgetsPage:
    rows: list[Row]
    may_set: bool


@dataclass(frozen=True)
class BudgetPage:
    """`budget` None: a new one."""

    form: PageForm
    budget: Budget | None = None
    name: str = ""


@require_safe
def budgets_page(request: HttpRequest) -> HttpResponse:
    standing = standing_of(request)
    rows = [_row(balance) for balance in balances_visible_to(standing)]
    may_set = standing.may(Capability.MANAGE_BUDGETS)
    return show(request, "budgets", BudgetsPage(rows, may_set))


def new(request: HttpRequest) -> HttpResponse:
    form = BudgetForm(request.POST or None)
    if form.is_valid():
        values = form.cleaned_data
        try:
            budgets.set_budget(
                scope=budgets.parse_scope(values["scope"]),
                limit_usd=values["limit"],
                period=values["period"],
                is_hard=values["kind"] == "hard",
                by=standing_of(request).user,
            )
        except InvalidBudget as fault:
            form.refuse(fault.field, fault.message)
        else:
            return go_on(request, BUDGETS, "The budget is in force.")
    return show(request, "budget", BudgetPage(form), form.status)


def edit(request: HttpRequest, budget_id: int) -> HttpResponse:
    budget = get_object_or_404(budgets_visible_to(standing_of(request)), pk=budget_id)
    now = {"limit": to_decimal(budget.limit_nano), "kind": "hard" if budget.is_hard else "soft"}
    form = LimitForm(request.POST or None, initial=now)
    if form.is_valid():
        try:
            budgets.change_budget(
                budget,
                limit_usd=form.cleaned_data["limit"],
                is_hard=form.cleaned_data["kind"] == "hard",
                by=standing_of(request).user,
            )
        except InvalidBudget as fault:
            form.refuse(fault.field, fault.message)
        else:
            return go_on(request, BUDGETS, "The new limit is in force.")
    name = next(
        b.name for b in balances_visible_to(standing_of(request)) if b.budget_id == budget.pk
    )
    return show(request, "budget", BudgetPage(form, budget, name), form.status)


@require_POST
def remove(request: HttpRequest, budget_id: int) -> HttpResponse:
    budget = get_object_or_404(budgets_visible_to(standing_of(request)), pk=budget_id)
    budgets.remove_budget(budget, by=standing_of(request).user)
    return go_on(request, BUDGETS, "The budget is removed. What was spent stays in the books.")


def _row(balance: Balance) -> Row:
    return Row(
        balance=balance,
        limit=usd(balance.limit_nano),
        spent=usd(balance.spent_nano),
        held=usd(balance.held_nano),
        left=usd(balance.left_nano),
        percent=balance.used_percent,
        is_over=balance.left_nano == 0,
    )


def _scopes() -> list[tuple[str, object]]:
    teams = Team.objects.order_by("name")
    people = User.objects.filter(is_active=True).order_by("email")
    keys = VirtualKey.objects.filter(revoked_at=None).select_related("user").order_by("name")
    groups: list[tuple[str, object]] = [
        (Scope.ORGANISATION.value, "The whole organisation"),
        ("Teams", [(f"team:{team.slug}", team.name) for team in teams]),
        ("People", [(f"user:{user.email}", user.email) for user in people]),
        ("API keys", [(f"key:{key.prefix}", f"{key.name} of {key.user}") for key in keys]),
    ]
    return [group for group in groups if group[1]]
