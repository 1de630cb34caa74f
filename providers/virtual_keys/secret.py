"""What a virtual key looks like, and the keyed digest that stands for it in the database."""

from __future__ import annotations

import hmac
import secrets
import string

from django.conf import settings

HEAD = "gai_"
PREFIX_LENGTH = 12
DIGEST_BYTES = 32
_ALPHABET = string.ascii_letters + string.digits
# 62 ** 43 is just above 2 ** 256.
_CHARACTERS = 43
SECRET_LENGTH = len(HEAD) + _CHARACTERS


class InvalidKey(Exception):
    """Unknown, revoked or expired: a caller is not told which."""


def generate() -> str:
    return HEAD + "".join(secrets.choice(_ALPHABET) for _ in range(_CHARACTERS))


def digest(secret: str, pepper: bytes) -> bytes:
    return hmac.digest(pepper, secret.encode(), "sha256")


def pepper() -> bytes:
    """Derive the digests' key, so that a copy of the table alone verifies nothing."""
    return hmac.digest(settings.SECRET_KEY.encode(), b"gaiweb.virtual_keys.v1", "sha256")
