"""The engine's secrets: one of the nearest credentials, opened and kept for a short while."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.utils import timezone

from providers.credentials.envelope import Binding, Envelope, EnvelopeBroken, unseal
from providers.credentials.held import binding_of, envelope_of, not_ended
from providers.credentials.ring import KeyRing, RingUnreadable
from providers.engine.call import Caller
from providers.engine.errors import CredentialRejected
from providers.engine.ports import Now, Random, UtcNow
from providers.engine.routes import Deployment
from providers.metrics import key_fetch_errors
from providers.models import Credential

KEEP_OPEN_S = 30 * 60.0
PUT_ASIDE_S = 5 * 60.0
ENVIRONMENT = "environment"
_REASONS = {EnvelopeBroken: "envelope_broken", RingUnreadable: "ring_unreadable"}

Nearness = tuple[str, int | None, int | None]
"""Provider's name, team, user."""


@dataclass(frozen=True, slots=True, repr=False)
class Held:
    """A sealed credential. `weight` 0: it only stands in for others; `ends_at` None: it stays."""

    id: int
    weight: float
    ends_at: datetime | None
    envelope: Envelope
    binding: Binding

    @property
    def name(self) -> str:
        return f"credential {self.id}"


Sealed = Mapping[Nearness, Sequence[Held]]


def read_sealed() -> Sealed:
    """Read every credential, still sealed. Sync: it asks the database."""
    rows = Credential.objects.filter(not_ended(timezone.now()), provider__is_enabled=True)
    found: dict[Nearness, list[Held]] = {}
    for row in rows.select_related("provider").order_by("pk"):
        held = Held(row.pk, row.weight, row.ends_at, envelope_of(row), binding_of(row))
        found.setdefault((row.provider.name, row.team_id, row.user_id), []).append(held)
    return found


@dataclass(slots=True, repr=False)
class OpenedSecrets:
    """Sealed rows in memory; a secret is opened when first needed, for at most half an hour.

    `environment` holds the keys of read-only providers by provider name; a person's or a team's
    own credential is nearer. `noted` hears of each credential whether it was taken.
    """

    ring: Callable[[], KeyRing]
    environment: Mapping[str, str]
    now: Now
    utcnow: UtcNow
    random: Random
    noted: Callable[[int, bool], None]
    _sealed: Sealed = field(default_factory=dict)
    _by_name: dict[str, Held] = field(default_factory=dict)
    _opened: dict[str, tuple[str, float]] = field(default_factory=dict)
    _aside: dict[str, float] = field(default_factory=dict)

    def publish(self, sealed: Sealed) -> None:
        """Take newly read rows; every opened secret is forgotten at once."""
        self._sealed = sealed
        self._by_name = {held.name: held for several in sealed.values() for held in several}
        self._opened.clear()
        self._aside = {name: until for name, until in self._aside.items() if name in self._by_name}

    def pick(self, deployment: Deployment, caller: Caller) -> str:
        held = self._nearest(deployment.provider, caller)
        if not held:
            return ENVIRONMENT if deployment.provider in self.environment else ""
        now = self.now()
        well = [each for each in held if self._aside.get(each.name, now) <= now]
        if not well:
            # None is known to work: the one whose refusal is oldest, so that each has its turn.
            return min(held, key=lambda each: self._aside[each.name]).name
        return self._drawn(well).name

    async def open(self, deployment: Deployment, credential: str) -> str | None:
        if credential in {"", ENVIRONMENT}:
            return self.environment.get(deployment.provider) if credential else None
        held = self._by_name.get(credential)
        if held is None or self._has_ended(held):
            raise CredentialRejected("The key was revoked a moment ago.")
        opened = self._opened.get(credential)
        if opened is not None and self.now() < opened[1]:
            return opened[0]
        return self._open(held, deployment.provider)

    def report(self, credential: str, *, is_taken: bool) -> None:
        held = self._by_name.get(credential)
        if held is None:
            return
        if is_taken:
            self._aside.pop(credential, None)
        else:
            self._aside[credential] = self.now() + PUT_ASIDE_S
        self.noted(held.id, is_taken)

    def _nearest(self, provider: str, caller: Caller) -> list[Held]:
        for nearness in (
            (provider, None, caller.user_id),
            (provider, caller.team_id, None),
            (provider, None, None),
        ):
            live = [each for each in self._sealed.get(nearness, ()) if not self._has_ended(each)]
            if live:
                return live
        return []

    def _has_ended(self, held: Held) -> bool:
        return held.ends_at is not None and held.ends_at <= self.utcnow()

    def _drawn(self, well: Sequence[Held]) -> Held:
        if len(well) == 1:
            return well[0]
        left = self.random() * sum(each.weight for each in well)
        for each in well:
            left -= each.weight
            if left < 0:
                return each
        # All of them only stand in, or the draw was at the very end.
        return max(well, key=lambda each: each.weight)

    def _open(self, held: Held, provider: str) -> str:
        try:
            secret = unseal(held.envelope, held.binding, self.ring())
        except (EnvelopeBroken, RingUnreadable) as fault:
            key_fetch_errors.labels(provider, _REASONS[type(fault)]).inc()
            raise CredentialRejected(str(fault)) from None
        self._opened[held.name] = (secret, self.now() + KEEP_OPEN_S)
        return secret
