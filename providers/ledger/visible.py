"""Which budgets a person sees: an owner all, a team's admin the team's, everybody their own."""

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
    wanted = Q(user=standing.user) | Q(key__user=standing.user)
    if standing.team is not None and standing.may(Capability.SEE_BUDGETS):
        wanted |= Q(team=standing.team) | Q(key__team=standing.team)
    return Budget.objects.filter(wanted)


def balances_visible_to(standing: Standing) -> list[Balance]:
    ids = set(budgets_visible_to(standing).values_list("pk", flat=True))
    return [balance for balance in balances.all() if balance.budget_id in ids]


def balances_that_bind(standing: Standing) -> list[Balance]:
    """List those of the organisation and the active team too, without what is behind them."""
    team = standing.team
    return balances.for_caller(standing.user.pk, team.pk if team else None)
