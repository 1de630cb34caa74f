"""The key ring: the keys that wrap every credential's own data key."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings

KEY_BYTES = 32


class RingUnreadable(Exception):
    """The key ring is missing or malformed; the message says what to do, never what it holds."""


@dataclass(frozen=True, slots=True, repr=False)
class KeyRing:
    """`current` seals what is new; the others still open what is old."""

    current: str
    keys: Mapping[str, bytes]

    def key(self, name: str) -> bytes:
        try:
            return self.keys[name]
        except KeyError:
            raise RingUnreadable(
                f"The key ring has no key {name!r}, which sealed a stored credential. "
                "Add it back to the ring, or save that credential again."
            ) from None


def parse(text: str) -> KeyRing:
    """Read `name:base64` entries, one a line or split by commas; the first one is current."""
    entries = [entry for entry in text.replace(",", "\n").split() if not entry.startswith("#")]
    keys = dict(_entry(number, entry) for number, entry in enumerate(entries, start=1))
    if not keys:
        raise RingUnreadable("The key ring is empty. Set GAIWEB_KEY_RING to `name:base64`.")
    return KeyRing(next(iter(keys)), keys)


def load() -> KeyRing:
    return parse(settings.GAIWEB.key_ring.get_secret_value())


def _entry(number: int, entry: str) -> tuple[str, bytes]:
    name, colon, encoded = entry.partition(":")
    try:
        key = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        key = b""
    if not colon or not name or len(key) != KEY_BYTES:
        raise RingUnreadable(
            f"Entry {number} of the key ring is not `name:base64 of {KEY_BYTES} bytes`."
        )
    return name, key
