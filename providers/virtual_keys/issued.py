"""Issue, rotate and revoke virtual keys. Sync: for pages and commands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from providers import audit
from providers.engine.tags import RULE, is_tag
from providers.models import (
    Membership,
    OrganisationRole,
    Route,
    Team,
    TeamRole,
    User,
    VirtualKey,
)
from providers.virtual_keys import secret as secrets


class KeyRefused(Exception):
    """`field` is the argument at fault; the message says the way out."""

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long a new key works; None: until it is revoked."""

    length: timedelta | None

    def end(self, now: datetime) -> datetime | None:
        return None if self.length is None else now + self.length

    @classmethod
    def of(cls, key: VirtualKey) -> Lifetime:
        return cls(key.expires_at - key.created_at if key.expires_at else None)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a key may. `routes` empty: every route. `tag` is its requests' own; empty: none.

    None: as the replaced key has it, so that a rotation never widens what a key may, and it works
    as long again; every route, until it is revoked, where there was none.
    """

    routes: Sequence[str] | None = None
    lasts: Lifetime | None = None
    tag: str | None = None

    def or_those_of(self, key: VirtualKey | None) -> Terms:
        if key is None:
            return self
        return Terms(
            key.routes if self.routes is None else self.routes,
            self.lasts or Lifetime.of(key),
            key.tag if self.tag is None else self.tag,
        )


AS_BEFORE = Terms()


def issue(
    *,
    user: User,
    team: Team,
    name: str,
    rotate: bool = False,
    terms: Terms = AS_BEFORE,
    by: User | None = None,
) -> tuple[VirtualKey, str]:
    """Make a key and its secret, which is told here and never again.

    A live key of the same name is refused, or with `rotate` revoked in the same transaction.
    Raises KeyRefused.
    """
    _check_routes(terms.routes or ())
    if terms.tag and not is_tag(terms.tag):
        raise KeyRefused(RULE, field="tag")
    if not may_use_team(user, team):
        raise KeyRefused(
            f"{user.email} may not spend for the team {team.name}. "
            f"Add them first: manage.py member add --email {user.email} --team {team.slug} "
            "--role member",
            field="team",
        )
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        live = VirtualKey.objects.filter(user=user, name=name, revoked_at=None)
        if live.exists() and not rotate:
            raise KeyRefused(
                f"{user.email} already has a key named {name!r}. "
                "Its secret cannot be shown again; use --rotate for a new one, or another name.",
                field="name",
            )
        replaced = live.first()
        terms = terms.or_those_of(replaced)
        live.update(revoked_at=timezone.now())
        secret = secrets.generate()
        key = VirtualKey.objects.create(
            name=name,
            prefix=secret[: secrets.PREFIX_LENGTH],
            digest=secrets.digest(secret, secrets.pepper()),
            user=user,
            team=team,
            routes=sorted(set(terms.routes or ())),
            tag=terms.tag or "",
            expires_at=terms.lasts.end(timezone.now()) if terms.lasts else None,
        )
        audit.write(
            by,
            "key.rotated" if replaced else "key.issued",
            _named(key),
            before=_told(replaced) if replaced else None,
            after=_told(key),
        )
    return key, secret


@transaction.atomic
def revoke(key: VirtualKey, *, by: User | None = None) -> None:
    """End a key for good; every process forgets it at once. Twice is harmless."""
    live = VirtualKey.objects.filter(pk=key.pk, revoked_at=None)
    if live.update(revoked_at=timezone.now()):
        audit.write(by, "key.revoked", _named(key), before=_told(key))
    key.refresh_from_db(fields=["revoked_at"])


def revoke_all(user: User, team: Team, *, by: User | None = None) -> None:
    """End every key with which that person spends for that team."""
    for key in VirtualKey.objects.filter(user=user, team=team, revoked_at=None):
        revoke(key, by=by)


def _check_routes(names: Sequence[str]) -> None:
    known = set(Route.objects.values_list("name", flat=True))
    for name in names:
        if name not in known:
            listed = ", ".join(sorted(known)) or "none yet"
            raise KeyRefused(f"There is no route {name!r}. Known: {listed}.", field="routes")


def _named(key: VirtualKey) -> str:
    return f"{key.user.email} · {key.name}"


def _told(key: VirtualKey) -> audit.Facts:
    return {
        "prefix": key.prefix,
        "team": key.team.slug,
        "routes": key.routes,
        "tag": key.tag,
        "expires_at": key.expires_at and key.expires_at.isoformat(timespec="seconds"),
    }


def holder(secret: str) -> VirtualKey:
    """Find the live key with its user and team, for the REST interface. Raises InvalidKey."""
    presented = secrets.digest(secret, secrets.pepper())
    live = VirtualKey.objects.filter(digest=presented, revoked_at=None, user__is_active=True)
    key = live.select_related("user", "team").first()
    has_expired = key and key.expires_at and key.expires_at <= timezone.now()
    if key is None or has_expired or not may_use_team(key.user, key.team):
        raise secrets.InvalidKey
    return key


def may_use_team(user: User, team: Team) -> bool:
    """Tell who may spend for it: its members and admins, and owners for every team."""
    if user.role == OrganisationRole.OWNER:
        return True
    memberships = Membership.objects.filter(user=user, team=team)
    return memberships.exclude(role=TeamRole.VIEWER).exists()
