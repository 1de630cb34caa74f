"""Provider keys, sealed: write-only after saving, opened only for an attempt."""

from providers.credentials.held import hint, remove, replace
from providers.credentials.validate import Checked, validate

__all__ = ["Checked", "hint", "remove", "replace", "validate"]
