"""A secret under a data key of its own, and that data key under a key of the ring."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from providers.credentials.ring import KEY_BYTES, KeyRing

_VERSION = b"\x01"
_NONCE_BYTES = 12
_BROKEN = "A stored credential does not open. Save it again."


class EnvelopeBroken(Exception):
    """It does not open: altered, moved to another row, or sealed under another ring."""


class Bound(Protocol):
    """The row that a secret belongs to; an envelope copied to another row does not open."""

    def additional_data(self, part: str) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Binding:
    """To a provider's credential."""

    provider_id: int
    team_id: int | None
    user_id: int | None
    seal_id: UUID | None = None

    def additional_data(self, part: str) -> bytes:
        holder = f"{self.provider_id}:{self.team_id or '-'}:{self.user_id or '-'}"
        row = "" if self.seal_id is None else f":{self.seal_id}"
        return f"providers_credential:{part}:{holder}{row}".encode()


@dataclass(frozen=True, slots=True, repr=False)
class Envelope:
    sealed: bytes
    wrapped_key: bytes
    ring_key: str


def seal(secret: str, binding: Bound, ring: KeyRing) -> Envelope:
    data_key = AESGCM.generate_key(bit_length=KEY_BYTES * 8)
    return Envelope(
        sealed=_encrypt(data_key, secret.encode(), binding.additional_data("secret")),
        wrapped_key=_encrypt(ring.key(ring.current), data_key, binding.additional_data("key")),
        ring_key=ring.current,
    )


def unseal(envelope: Envelope, binding: Bound, ring: KeyRing) -> str:
    """Raise EnvelopeBroken, or RingUnreadable where the ring lost its key."""
    wrapping = ring.key(envelope.ring_key)
    data_key = _decrypt(wrapping, envelope.wrapped_key, binding.additional_data("key"))
    return _decrypt(data_key, envelope.sealed, binding.additional_data("secret")).decode()


def rewrap(envelope: Envelope, binding: Bound, ring: KeyRing) -> Envelope:
    """Wrap the data key under the ring's current key; the secret itself is not opened.

    Raises EnvelopeBroken, RingUnreadable.
    """
    associated = binding.additional_data("key")
    data_key = _decrypt(ring.key(envelope.ring_key), envelope.wrapped_key, associated)
    wrapped = _encrypt(ring.key(ring.current), data_key, associated)
    return Envelope(envelope.sealed, wrapped, ring.current)


def _encrypt(key: bytes, plain: bytes, additional_data: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return _VERSION + nonce + AESGCM(key).encrypt(nonce, plain, additional_data)


def _decrypt(key: bytes, box: bytes, additional_data: bytes) -> bytes:
    nonce, body = box[1 : 1 + _NONCE_BYTES], box[1 + _NONCE_BYTES :]
    try:
        plain = AESGCM(key).decrypt(nonce, body, additional_data)
    except (InvalidTag, ValueError):
        raise EnvelopeBroken(_BROKEN) from None
    if box[:1] != _VERSION:
        raise EnvelopeBroken(_BROKEN)
    return plain
