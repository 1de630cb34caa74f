"""The engine's secrets: the nearest credential of a caller, opened and kept for a short while."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from providers.credentials.envelope import Binding, Envelope, EnvelopeBroken, unseal
from providers.credentials.held import envelope_of
from providers.credentials.ring import KeyRing, RingUnreadable
from providers.engine.call import Caller
from providers.engine.errors import CredentialRejected
from providers.engine.ports import Now
from providers.engine.routes import Deployment
from providers.models import Credential

KEEP_OPEN_S = 30 * 60.0

Holder = tuple[str, int | None, int | None]
"""Provider's name, team, user."""
Sealed = Mapping[Holder, tuple[Envelope, Binding]]


def read_sealed() -> Sealed:
    """Read every credential, still sealed. Sync: it asks the database."""
    rows = Credential.objects.filter(provider__is_enabled=True).select_related("provider")
    return {(row.provider.name, row.team_id, row.user_id): envelope_of(row) for row in rows}


@dataclass(slots=True, repr=False)
class OpenedSecrets:
    """Sealed rows in memory; a secret is opened when first needed, for at most half an hour.

    `environment` holds the keys of read-only providers by provider name; a person's or a team's
    own credential is nearer.
    """

    ring: Callable[[], KeyRing]
    environment: Mapping[str, str]
    now: Now
    _sealed: Sealed = field(default_factory=dict)
    _opened: dict[Holder, tuple[str, float]] = field(default_factory=dict)

    def publish(self, sealed: Sealed) -> None:
        """Take newly read rows; every opened secret is forgotten at once."""
        self._sealed = sealed
        self._opened.clear()

    async def secret_for(self, deployment: Deployment, caller: Caller) -> str | None:
        holder = self._nearest(deployment.provider, caller)
        if holder is None:
            return self.environment.get(deployment.provider)
        opened = self._opened.get(holder)
        if opened is not None and self.now() < opened[1]:
            return opened[0]
        return self._open(holder)

    def identity_of(self, deployment: Deployment, caller: Caller) -> str:
        holder = self._nearest(deployment.provider, caller)
        if holder is None:
            return "environment" if deployment.provider in self.environment else ""
        _, team_id, user_id = holder
        if user_id is not None:
            return f"user {user_id}"
        return "organisation" if team_id is None else f"team {team_id}"

    def _nearest(self, provider: str, caller: Caller) -> Holder | None:
        candidates = (
            (provider, None, caller.user_id),
            (provider, caller.team_id, None),
            (provider, None, None),
        )
        return next((holder for holder in candidates if holder in self._sealed), None)

    def _open(self, holder: Holder) -> str:
        envelope, binding = self._sealed[holder]
        try:
            secret = unseal(envelope, binding, self.ring())
        except (EnvelopeBroken, RingUnreadable) as fault:
            raise CredentialRejected(str(fault)) from None
        self._opened[holder] = (secret, self.now() + KEEP_OPEN_S)
        return secret
