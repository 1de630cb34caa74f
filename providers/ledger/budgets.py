"""Set budgets: whom they bind, how much, how often they start anew."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal

from django.db import connection, transaction
from django.utils import timezone

from providers import audit
from providers.ledger import manners
from providers.ledger.faults import InvalidBudget
from providers.ledger.manners import AS_IT_IS, Policy
from providers.ledger.money import to_decimal, to_nano
from providers.ledger.scopes import ScopeRef, parse_scope
from providers.models import AuditEntry, Budget, Period, Scope, User

__all__ = [
    "AS_IT_IS",
    "MOST_USD",
    "ChangedMeanwhile",
    "InvalidBudget",
    "Policy",
    "ScopeRef",
    "change_budget",
    "parse_scope",
    "remove_budget",
    "set_budget",
    "stamp_of",
]


class ChangedMeanwhile(InvalidBudget):
    """Somebody else saved first."""


MOST_USD = Decimal(1_000_000_000)


def set_budget(
    *,
    scope: ScopeRef,
    limit_usd: Decimal,
    period: str,
    is_hard: bool,
    policy: Policy = AS_IT_IS,
    by: User | None = None,
) -> Budget:
    """Make or change the budget of this scope and period; repeating it changes nothing.

    It knows what the current window has cost before it was set: its counter starts at what the
    entries of the scope say, and calls in flight join with their holds. A limit below what is
    spent is allowed; then nothing that costs is admitted until the window ends. Another time zone
    or start day begins another window, which knows what was spent since then. Admissions wait
    until the caller's transaction ends, so keep it short. Raises InvalidBudget.
    """
    _refuse_nonsense(limit_usd, period)
    with transaction.atomic():
        known = Budget.objects.filter(scope=scope.scope, period=period, **scope.columns).first()
        values = {
            "limit_nano": to_nano(limit_usd),
            "is_hard": is_hard,
            **manners.checked(period, policy, known, is_hard=is_hard),
        }
        budget, is_new = Budget.objects.update_or_create(
            values, None, scope=scope.scope, period=period, **scope.columns
        )
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT ledger_open_windows(ARRAY[%s]::bigint[], %s)", [budget.pk, timezone.now()]
            )
        deed = "budget.made" if is_new else "budget.changed"
        audit.write_change(by, deed, _name(budget), _told(known) if known else None, _told(budget))
    return budget


def change_budget(
    budget: Budget,
    *,
    limit_usd: Decimal,
    is_hard: bool,
    policy: Policy = AS_IT_IS,
    by: User | None = None,
    seen: str | None = None,
) -> Budget:
    """Give it another limit or another manner; what it binds stays.

    `seen` is the stamp of what was read before. Raises InvalidBudget, ChangedMeanwhile.
    """
    owner_id = budget.team_id or budget.user_id or budget.key_id
    with transaction.atomic():
        known = Budget.objects.select_for_update().filter(pk=budget.pk).first()
        if seen is not None and (known is None or stamp_of(known) != seen):
            raise ChangedMeanwhile("budget", _who_changed(budget))
        return set_budget(
            scope=ScopeRef(Scope(budget.scope), owner_id, "", budget.tag),
            limit_usd=limit_usd,
            period=budget.period,
            is_hard=is_hard,
            policy=policy,
            by=by,
        )


def stamp_of(budget: Budget) -> str:
    """Name the state of a budget, so that a form knows whether it is what was read."""
    return hashlib.sha256(json.dumps(_told(budget)).encode()).hexdigest()[:16]


def _who_changed(budget: Budget) -> str:
    last = AuditEntry.objects.filter(target=_name(budget), action__startswith="budget.")
    who = last.order_by("-pk").values_list("actor", flat=True).first() or "Somebody"
    return (
        f"{who} has changed this budget since you opened it; what it is now is shown below."
        " Save again to put your values in force."
    )


@transaction.atomic
def remove_budget(budget: Budget, *, by: User | None = None) -> None:
    """Take it out of force with its windows; what was spent stays in the entries."""
    audit.write(by, "budget.removed", _name(budget), before=_told(budget))
    budget.delete()


def _name(budget: Budget) -> str:
    owner = budget.team or budget.user or budget.key or (budget.tag and f"tag {budget.tag}")
    return f"{owner or 'the organisation'}, {budget.period}"


def _told(budget: Budget) -> audit.Facts:
    return {
        "limit_usd": f"{to_decimal(budget.limit_nano):f}",
        "is_hard": budget.is_hard,
        "degrade_to": budget.degrade_to,
        "time_zone": budget.time_zone,
        "starts_on": budget.starts_on,
        "thresholds": list(budget.thresholds),
    }


def _refuse_nonsense(limit_usd: Decimal, period: str) -> None:
    if not limit_usd.is_finite() or not 0 <= limit_usd <= MOST_USD:
        raise InvalidBudget("limit", f"The limit must lie between 0 and {MOST_USD:,} dollars.")
    if period not in Period.values:
        raise InvalidBudget("period", f"Unknown period '{period}'. Use {', '.join(Period.values)}.")
