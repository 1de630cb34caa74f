"""Who asks: a signed-in person, or a virtual key."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest

from providers import virtual_keys
from providers.engine.errors import NotAllowed
from providers.models import Membership, Team, User, VirtualKey
from providers.people.permissions import Capability, capabilities
from providers.people.standing import standing_of_user


@dataclass(frozen=True, slots=True)
class Asker:
    """`key` None: the session of a person. `team` None: a member of no team."""

    user: User
    team: Team | None
    team_role: str | None
    key: VirtualKey | None = None

    def may(self, capability: Capability) -> bool:
        return capability in capabilities(self.user.role, self.team_role)

    def must(self, capability: Capability) -> None:
        """Raise NotAllowed."""
        if not self.may(capability):
            raise NotAllowed(f"Your role may not {capability.value}.")


def asker_of(request: HttpRequest) -> Asker | None:
    """Take a bearer key first, then the session; None: neither is good."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme:
        return _of_key(secret.strip()) if scheme.lower() == "bearer" else None
    if not isinstance(request.user, User):
        return None
    standing = standing_of_user(request.user)
    return Asker(standing.user, standing.team, standing.team_role)


def _of_key(secret: str) -> Asker | None:
    try:
        key = virtual_keys.holder(secret)
    except virtual_keys.InvalidKey:
        return None
    membership = Membership.objects.filter(user=key.user, team=key.team).first()
    return Asker(key.user, key.team, membership.role if membership else None, key)
