"""Set and remove quotas of one key, person or team."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from django.db import transaction

from providers import audit
from providers.ledger.faults import InvalidBudget
from providers.ledger.scopes import ScopeRef
from providers.models import Quota, Scope, User

MOST = 1_000_000_000
_SCOPES = (Scope.KEY, Scope.USER, Scope.TEAM)


@dataclass(frozen=True, slots=True)
class Allowance:
    """Requests and tokens a minute, requests open at once, tokens a day. None: as configured."""

    rpm: int | None = None
    tpm: int | None = None
    parallel: int | None = None
    daily_tokens: int | None = None


def put(scope: ScopeRef, wished: Allowance, by: User | None = None) -> Quota | None:
    """Make or change it whole; with nothing wished it is removed, and None is answered.

    Every process follows within seconds; repeating it changes nothing. Raises InvalidBudget.
    """
    if scope.scope not in _SCOPES:
        raise InvalidBudget("scope", "A quota is of key:PREFIX, user:EMAIL or team:NAME.")
    for name, value in asdict(wished).items():
        if value is not None and not 1 <= value <= MOST:
            raise InvalidBudget(name, f"It must lie between 1 and {MOST:,}.")
    owner = {f"{scope.scope.value}_id": scope.id}
    with transaction.atomic():
        row = Quota.objects.select_for_update().filter(**owner).first()
        before = None if row is None else _told(row)
        if wished == Allowance():
            if row is not None:
                audit.write(by, "quota.removed", scope.label, before=before)
                row.delete()
            return None
        row, _ = Quota.objects.update_or_create(asdict(wished), None, **owner)
        deed = "quota.made" if before is None else "quota.changed"
        audit.write_change(by, deed, scope.label, before, _told(row))
    return row


def _told(row: Quota) -> audit.Facts:
    return {
        "rpm": row.rpm,
        "tpm": row.tpm,
        "parallel": row.parallel,
        "daily_tokens": row.daily_tokens,
    }
