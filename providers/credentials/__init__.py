"""Provider keys, sealed: write-only after saving, opened only for an attempt."""

from providers.credentials.held import (
    ORGANISATION,
    CredentialRefused,
    Holder,
    add,
    change,
    hint,
    replace,
    revoke,
)
from providers.credentials.validate import Checked, validate

__all__ = [
    "ORGANISATION",
    "Checked",
    "CredentialRefused",
    "Holder",
    "add",
    "change",
    "hint",
    "replace",
    "revoke",
    "validate",
]
