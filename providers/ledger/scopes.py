"""Whom a budget or a quota binds, as people write it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from providers.engine.tags import RULE, is_tag
from providers.ledger.faults import InvalidBudget
from providers.models import Scope, Team, User, VirtualKey


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
