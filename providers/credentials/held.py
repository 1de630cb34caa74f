"""The stored credentials: write-only after saving, all that comes back is a hint."""

from __future__ import annotations

from django.db import transaction

from providers import audit
from providers.credentials import ring
from providers.credentials.envelope import Binding, Envelope, seal
from providers.models import Credential, Provider, Team, User

_HINT_CHARACTERS = 4
# A short secret would be told by its hint.
_SHORTEST_HINTED = 16


@transaction.atomic
def replace(
    *,
    provider: Provider,
    secret: str,
    team: Team | None = None,
    user: User | None = None,
    by: User | None = None,
) -> Credential:
    """Seal `secret` as the holder's credential at `provider`, in place of the old one.

    Team and user None: the organisation's. Raises RingUnreadable.
    """
    binding = Binding(provider.pk, team.pk if team else None, user.pk if user else None)
    envelope = seal(secret, binding, ring.load())
    credential, _ = Credential.objects.update_or_create(
        provider=provider,
        team=team,
        user=user,
        defaults={
            "sealed": envelope.sealed,
            "wrapped_key": envelope.wrapped_key,
            "ring_key": envelope.ring_key,
            "hint": hint(secret),
            "created_by": by,
        },
    )
    audit.write(by, "credential.saved", provider.name, after=_told(credential))
    return credential


@transaction.atomic
def remove(credential: Credential, *, by: User | None = None) -> None:
    audit.write(by, "credential.removed", credential.provider.name, before=_told(credential))
    credential.delete()


def _told(credential: Credential) -> audit.Facts:
    holder = credential.user or credential.team or "organisation"
    return {"holder": str(holder), "hint": credential.hint}


def hint(secret: str) -> str:
    return secret[-_HINT_CHARACTERS:] if len(secret) >= _SHORTEST_HINTED else ""


def envelope_of(credential: Credential) -> tuple[Envelope, Binding]:
    envelope = Envelope(
        bytes(credential.sealed), bytes(credential.wrapped_key), credential.ring_key
    )
    return envelope, Binding(credential.provider_id, credential.team_id, credential.user_id)
