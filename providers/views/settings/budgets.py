"""Budgets: what is spent, held and left, whom they bind, and one of them taken apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_safe

from providers.alerts.words import at_limit
from providers.ledger import explained as explaining
from providers.ledger.balances import Balance
from providers.ledger.explained import Explained
from providers.ledger.forecast import Course, Forecast, forecast
from providers.ledger.visible import (
    balances_that_bind,
    balances_visible_to,
    budgets_visible_to,
)
from providers.people.permissions import Capability
from providers.people.standing import standing_of
from providers.reports.burn_down import BurnDown, burn_down
from providers.views.settings import quotas
from providers.views.settings.budget_tree import in_tree
from providers.views.settings.quotas import QuotaRow
from providers.views.settings.sections import show

BUDGETS = "providers:budgets"
KINDS = {"org": "Everybody", "team": "Team", "user": "Person", "key": "API key", "tag": "Tag"}
MOST_DAYS = 92


@dataclass(frozen=True)
class Row:
    """`depth` in the tree, from 0; `pace` says where it leads, empty: too early to say."""

    balance: Balance
    kind: str
    depth: int
    resets: str
    pace: str
    at_limit: str

    @property
    def is_over(self) -> bool:
        return self.balance.left_nano == 0


@dataclass(frozen=True)
class BudgetsPage:
    """`rows` are a tree, read from above; `others` bind the reader too, and are not theirs."""

    rows: list[Row]
    others: list[Row]
    quotas: list[QuotaRow]
    may_set: bool


@dataclass(frozen=True)
class ExplainedPage:
    """`burn` None: a window without an end has no pace."""

    row: Row
    found: Explained
    zone: str
    may_set: bool
    burn: BurnDown | None
    now: datetime = field(default_factory=timezone.now)


@require_safe
def budgets_page(request: HttpRequest) -> HttpResponse:
    standing, now = standing_of(request), timezone.now()
    visible = balances_visible_to(standing)
    known = {balance.budget_id for balance in visible}
    others = [each for each in balances_that_bind(standing) if each.budget_id not in known]
    page = BudgetsPage(
        rows=[row_of(balance, now, depth) for balance, depth in in_tree(visible)],
        others=[row_of(balance, now) for balance in others],
        quotas=quotas.rows_for(standing),
        may_set=standing.may(Capability.MANAGE_BUDGETS),
    )
    return show(request, "budgets", page)


@require_safe
def explained(request: HttpRequest, budget_id: int) -> HttpResponse:
    standing, now = standing_of(request), timezone.now()
    budget = get_object_or_404(budgets_visible_to(standing), pk=budget_id)
    balance = next(one for one in balances_visible_to(standing) if one.budget_id == budget.pk)
    since = max(balance.starts_at, now - timedelta(days=MOST_DAYS))
    found = explaining.explain(budget, balance, since)
    course = course_of(balance)
    page = ExplainedPage(
        row=row_of(balance, now),
        found=found,
        zone=balance.time_zone,
        may_set=standing.may(Capability.MANAGE_BUDGETS),
        burn=burn_down(course, found.days, forecast(course, now), now, ZoneInfo(balance.time_zone)),
        now=now,
    )
    return show(request, "budget_explained", page)


def row_of(balance: Balance, now: datetime, depth: int = 0) -> Row:
    zone = ZoneInfo(balance.time_zone)
    resets = "never starts anew"
    if balance.resets_at is not None:
        local = balance.resets_at.astimezone(zone)
        resets = f"starts anew {local:%-d %b, %H:%M} ({balance.time_zone})"
    return Row(
        balance=balance,
        kind=KINDS[balance.scope],
        depth=depth,
        resets=resets,
        pace=_pace(forecast(course_of(balance), now), zone),
        at_limit=at_limit(is_hard=balance.is_hard, degrade_to=balance.degrade_to),
    )


def course_of(balance: Balance) -> Course:
    return Course(balance.limit_nano, balance.spent_nano, balance.starts_at, balance.resets_at)


def _pace(found: Forecast | None, zone: ZoneInfo) -> str:
    if found is None or found.at_end_nano is None:
        return ""
    if found.runs_out_at is None:
        return "At this pace it lasts the period." if found.at_end_nano else ""
    return f"At this pace it runs out on {found.runs_out_at.astimezone(zone):%-d %B}."
