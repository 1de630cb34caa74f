"""Secrets that we issue to callers: made, rotated, revoked, verified."""

from providers.virtual_keys.issued import (
    KeyRefused,
    Lifetime,
    Terms,
    holder,
    issue,
    revoke,
    revoke_all,
)
from providers.virtual_keys.secret import InvalidKey
from providers.virtual_keys.verifier import KeyVerifier

__all__ = [
    "InvalidKey",
    "KeyRefused",
    "KeyVerifier",
    "Lifetime",
    "Terms",
    "holder",
    "issue",
    "revoke",
    "revoke_all",
]
