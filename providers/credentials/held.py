"""The stored credentials: write-only after saving, all that comes back is a hint."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from django.db import transaction
from django.db.models import Q, QuerySet

from providers import audit
from providers.credentials import ring
from providers.credentials.envelope import Binding, Envelope, EnvelopeBroken, seal, unseal
from providers.models import Credential, Provider, Team, User

MOST_WEIGHT = 1_000_000.0
MOST_OF_A_HOLDER = 100
_HINT_CHARACTERS = 4
# A short secret would be told by its hint.
_SHORTEST_HINTED = 16
_LONGEST_SECRET = 8_192


class CredentialRefused(Exception):
    """`field` is the argument at fault; the message says the way out, and nothing of a secret."""

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose it is. Team and user None: the organisation's."""

    team: Team | None = None
    user: User | None = None

    @property
    def named(self) -> str:
        if self.user is not None:
            return self.user.email
        return "organisation" if self.team is None else f"team {self.team.slug}"


ORGANISATION = Holder()


@transaction.atomic
def add(
    provider: Provider,
    secret: str,
    holder: Holder = ORGANISATION,
    *,
    label: str = "",
    weight: float = 1.0,
    by: User | None = None,
) -> Credential:
    """Seal `secret` as one more credential of the holder. Raises CredentialRefused, RingUnreadable.

    It is the caller who has tried it at the provider, or means not to.
    """
    secret = secret.strip()
    if not 0 < len(secret) <= _LONGEST_SECRET:
        raise CredentialRefused("The key is empty or far too long.", field="key")
    _check_weight(weight)
    # Two at once must not both be the last one that fits.
    Provider.objects.select_for_update().get(pk=provider.pk)
    if of_holder(provider, holder).count() >= MOST_OF_A_HOLDER:
        raise CredentialRefused(
            f"{provider.name} has {MOST_OF_A_HOLDER} keys here. Revoke one first.", field="key"
        )
    credential = Credential(
        provider=provider,
        team=holder.team,
        user=holder.user,
        seal_id=uuid4(),
        hint=hint(secret),
        label=label,
        weight=weight,
        created_by=by,
    )
    envelope = seal(secret, binding_of(credential), ring.load())
    credential.sealed, credential.wrapped_key = envelope.sealed, envelope.wrapped_key
    credential.ring_key = envelope.ring_key
    credential.save(force_insert=True)
    audit.write(by, "credential.added", named(credential), after=told(credential))
    return credential


@transaction.atomic
def replace(provider: Provider, secret: str, *, by: User | None = None) -> Credential:
    """Make `secret` the organisation's only one, in place of the one that is there.

    The same one again changes nothing. Raises CredentialRefused where there are several,
    RingUnreadable.
    """
    old = list(of_holder(provider, ORGANISATION))
    if len(old) > 1:
        raise CredentialRefused(
            f"{provider.name} has {len(old)} keys of the organisation. Say which one to rotate: "
            "Settings, Provider keys.",
            field="key",
        )
    if old and _opens_to(old[0], secret.strip()):
        return old[0]
    label = old[0].label if old else ""
    credential = add(provider, secret, label=label, by=by)
    for each in old:
        revoke(each, by=by)
    return credential


@transaction.atomic
def change(
    credential: Credential, *, label: str, weight: float, by: User | None = None
) -> Credential:
    """Name it anew, or give it another share of the prompts. Raises CredentialRefused."""
    _check_weight(weight)
    before = told(credential)
    others = of_holder(credential.provider, holder_of(credential)).exclude(pk=credential.pk)
    if weight == 0 and not others.filter(weight__gt=0).exists():
        raise CredentialRefused(
            "It is the only one that takes prompts. Give another one a weight first, or revoke it.",
            field="weight",
        )
    credential.label, credential.weight = label, weight
    credential.save(update_fields=["label", "weight"])
    audit.write_change(by, "credential.changed", named(credential), before, told(credential))
    return credential


@transaction.atomic
def revoke(credential: Credential, *, by: User | None = None, reason: str = "") -> None:
    """Forget it for good, in every process at once. Revoke it at the provider as well."""
    audit.write(by, "credential.revoked", named(credential), before=told(credential), reason=reason)
    credential.delete()


def _opens_to(credential: Credential, secret: str) -> bool:
    try:
        known = unseal(envelope_of(credential), binding_of(credential), ring.load())
    except (EnvelopeBroken, ring.RingUnreadable):
        return False
    return hmac.compare_digest(known.encode(), secret.encode())


def of_holder(provider: Provider, holder: Holder) -> QuerySet[Credential]:
    rows = Credential.objects.filter(provider=provider, team=holder.team, user=holder.user)
    return rows.order_by("created_at", "pk")


def holder_of(credential: Credential) -> Holder:
    return Holder(credential.team, credential.user)


def not_ended(now: datetime) -> Q:
    return Q(ends_at=None) | Q(ends_at__gt=now)


def hint(secret: str) -> str:
    return secret[-_HINT_CHARACTERS:] if len(secret) >= _SHORTEST_HINTED else ""


def envelope_of(credential: Credential) -> Envelope:
    return Envelope(bytes(credential.sealed), bytes(credential.wrapped_key), credential.ring_key)


def binding_of(credential: Credential) -> Binding:
    return Binding(
        credential.provider_id, credential.team_id, credential.user_id, credential.seal_id
    )


def named(credential: Credential) -> str:
    label = f" · {credential.label}" if credential.label else ""
    return f"{credential.provider.name}{label}"


def told(credential: Credential) -> audit.Facts:
    return {
        "holder": holder_of(credential).named,
        "label": credential.label,
        "hint": credential.hint,
        "weight": credential.weight,
        "ends_at": credential.ends_at and credential.ends_at.isoformat(timespec="seconds"),
    }


def _check_weight(weight: float) -> None:
    if not 0 <= weight <= MOST_WEIGHT:
        raise CredentialRefused(
            f"A weight is a number from 0 to {MOST_WEIGHT:,.0f}.", field="weight"
        )
