"""The key ring: the keys that wrap every credential's own data key."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

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
    """Read the ring as it is now: a key that was added to our own file counts at once.

    Raises RingUnreadable.
    """
    path: Path | None = settings.GAIWEB.key_ring_file
    if path is None:
        return parse(settings.GAIWEB.key_ring.get_secret_value())
    try:
        return parse(path.read_text())
    except OSError as fault:
        raise RingUnreadable(f"The key ring cannot be read: {fault.strerror}.") from None


def extend() -> str:
    """Put a new key at the head of our own file, and answer its name; the others still open.

    Raises RingUnreadable where the ring was given and is not ours to write.
    """
    path: Path | None = settings.GAIWEB.key_ring_file
    if path is None:
        raise RingUnreadable(
            "This ring comes from GAIWEB_KEY_RING. Put a new key behind the others and restart "
            "every process; then put it first and run rekey without --new-key."
        )
    name = f"k{secrets.token_hex(4)}"
    key = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    draft = path.with_name(f".{path.name}.{name}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{name}:{key}\n{path.read_text().strip()}\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    return name


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
