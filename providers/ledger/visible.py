"""Which budgets a person sees: all for an owner, those of the active team for its admin."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from providers.ledger import balances
from providers.ledger.balances import Balance
from providers.models import Budget
from providers.people.permissions import Capability
from providers.people.standing import Standing


def budgets_visible_to(standing: Standing) -> QuerySet[Budget]:
    if standing.may(Capability.MANAGE_BUDGETS):
        return Budget.objects.all()
    if standing.team is None or not standing.may(Capability.SEE_BUDGETS):
        return Budget.objects.none()
    return Budget.objects.filter(Q(team=standing.team) | Q(key__team=standing.team))


def balances_visible_to(standing: Standing) -> list[Balance]:
    ids = set(budgets_visible_to(standing).values_list("pk", flat=True))
    return [balance for balance in balances.all() if balance.budget_id in ids]
