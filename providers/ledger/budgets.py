"""Set budgets: whom they bind, how much, how often they start anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from zoneinfo import available_timezones

from django.db import connection, transaction
from django.utils import timezone

from providers import audit
from providers.engine.tags import RULE, is_tag
from providers.ledger.money import to_decimal, to_nano
from providers.models import Budget, Organisation, Period, Scope, Team, User, VirtualKey

MOST_USD = Decimal(1_000_000_000)


class InvalidBudget(ValueError):
    """`field` is what to correct: scope, limit, period or time_zone."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


@dataclass(frozen=True, slots=True)
class ScopeRef:
    """`id` None: the organisation, or a tag, which has a `tag` alone. People call it `label`."""

    scope: Scope
    id: int | None
    label: str
    tag: str = ""

    @property
    def columns(self) -> dict[str, int | str | None]:
        ids: dict[str, int | str | None] = {"team_id": None, "user_id": None, "key_id": None}
        if self.id is not None:
            ids[f"{self.scope.value}_id"] = self.id
        return {**ids, "tag": self.tag}


def parse_scope(text: str) -> ScopeRef:
    """Read `org`, `team:NAME`, `user:EMAIL`, `key:PREFIX` or `tag:NAME`. Raises InvalidBudget."""
    kind, _, owner = text.strip().partition(":")
    owner = owner.strip()
    if kind == "org" and not owner:
        return ScopeRef(Scope.ORGANISATION, None, "the organisation")
    find = _FIND.get(kind)
    if find is None or not owner:
        raise InvalidBudget(
            "scope",
            f"Unknown scope '{text}'. Use org, team:NAME, user:EMAIL, key:PREFIX or tag:NAME.",
        )
    return find(owner)


def set_budget(
    *,
    scope: ScopeRef,
    limit_usd: Decimal,
    period: str,
    is_hard: bool,
    time_zone: str | None = None,
    by: User | None = None,
) -> Budget:
    """Make or change the budget of this scope and period; repeating it changes nothing.

    It knows what the current window has cost before it was set: its counter starts at what the
    entries of the scope say, and calls in flight join with their holds. A limit below what is
    spent is allowed; then nothing that costs is admitted until the window ends. `time_zone` None
    is the organisation's. Admissions wait until the caller's transaction ends, so keep it short.
    Raises InvalidBudget.
    """
    zone = time_zone or _own_time_zone()
    _refuse_nonsense(limit_usd, period, zone)
    values = {"limit_nano": to_nano(limit_usd), "time_zone": zone, "is_hard": is_hard}
    with transaction.atomic():
        known = Budget.objects.filter(scope=scope.scope, period=period, **scope.columns).first()
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
    budget: Budget, *, limit_usd: Decimal, is_hard: bool, by: User | None = None
) -> Budget:
    """Give it another limit or another manner; what it binds and its time zone stay."""
    owner_id = budget.team_id or budget.user_id or budget.key_id
    return set_budget(
        scope=ScopeRef(Scope(budget.scope), owner_id, "", budget.tag),
        limit_usd=limit_usd,
        period=budget.period,
        is_hard=is_hard,
        time_zone=budget.time_zone,
        by=by,
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
        "time_zone": budget.time_zone,
    }


def _refuse_nonsense(limit_usd: Decimal, period: str, time_zone: str) -> None:
    if not limit_usd.is_finite() or not 0 <= limit_usd <= MOST_USD:
        raise InvalidBudget("limit", f"The limit must lie between 0 and {MOST_USD:,} dollars.")
    if period not in Period.values:
        raise InvalidBudget("period", f"Unknown period '{period}'. Use {', '.join(Period.values)}.")
    if time_zone not in available_timezones():
        raise InvalidBudget(
            "time_zone", f"Unknown time zone '{time_zone}'. Use a name such as Europe/Berlin."
        )


def _own_time_zone() -> str:
    own = Organisation.objects.values_list("time_zone", flat=True).first()
    return own or "UTC"


def _team(name: str) -> ScopeRef:
    found = Team.objects.filter(name__iexact=name) or Team.objects.filter(slug=name)
    for team in found[:1]:
        return ScopeRef(Scope.TEAM, team.pk, f"team {team.name}")
    known = Team.objects.order_by("name").values_list("name", flat=True)
    raise InvalidBudget("scope", f"There is no team '{name}'. {_list('Teams', known)}")


def _user(email: str) -> ScopeRef:
    for user in User.objects.filter(email__iexact=email):
        return ScopeRef(Scope.USER, user.pk, user.email)
    raise InvalidBudget(
        "scope",
        f"There is no user '{email}'. "
        f"Add them: manage.py member add --email {email} --team TEAM --role member",
    )


def _key(prefix: str) -> ScopeRef:
    for key in VirtualKey.objects.filter(prefix=prefix):
        return ScopeRef(Scope.KEY, key.pk, f"key {key.prefix}")
    known = VirtualKey.objects.filter(revoked_at=None).order_by("prefix")
    listed = _list("Prefixes of live keys", known.values_list("prefix", flat=True))
    raise InvalidBudget("scope", f"There is no key with the prefix '{prefix}'. {listed}")


def _tag(name: str) -> ScopeRef:
    if not is_tag(name):
        raise InvalidBudget("scope", RULE)
    return ScopeRef(Scope.TAG, None, f"tag {name}", name)


def _list(title: str, names: object) -> str:
    shown = [str(name) for name in names[:20]]  # type: ignore[index]  # a queryset of names
    return f"{title}: {', '.join(shown)}." if shown else f"{title}: none yet."


_FIND: dict[str, Callable[[str], ScopeRef]] = {
    "team": _team,
    "user": _user,
    "key": _key,
    "tag": _tag,
}
