"""What leaves this process is packed by zstd and sealed by AES-256-GCM."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from providers.engine.ports import AnswerKey, KeptAnswer

_VERSION = b"\x01"
_HEAD = len(_VERSION) + 8
_NONCE = 12
_MOST_UNPACKED = 1 << 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def derived(root: bytes, purpose: str) -> bytes:
    """Make a key of 32 bytes for one purpose out of a key of the ring."""
    return HKDF(hashes.SHA256(), 32, salt=None, info=purpose.encode()).derive(root)


@dataclass(slots=True, repr=False)
class Sealer:
    """A box opens only under the digest it was kept under, with the age that it had.

    With another key in the ring nothing opens, and nothing is found: digests change with it.
    """

    root: bytes
    level: int = 3
    _cipher: AESGCM = field(init=False)
    _packer: zstandard.ZstdCompressor = field(init=False)
    _unpacker: zstandard.ZstdDecompressor = field(init=False)

    def __post_init__(self) -> None:
        self._cipher = AESGCM(derived(self.root, "gaiweb answers: seal"))
        self._packer = zstandard.ZstdCompressor(level=self.level)
        self._unpacker = zstandard.ZstdDecompressor()

    @property
    def secret(self) -> bytes:
        """Key the digests of prompts."""
        return derived(self.root, "gaiweb answers: digest")

    def seal(self, key: AnswerKey, kept: KeptAnswer) -> bytes:
        micros = (kept.kept_at - _EPOCH) // timedelta(microseconds=1)
        head = _VERSION + micros.to_bytes(8)
        nonce = os.urandom(_NONCE)
        packed = self._packer.compress(kept.value)
        return head + nonce + self._cipher.encrypt(nonce, packed, head + key.digest)

    def unseal(self, key: AnswerKey, box: bytes) -> KeptAnswer | None:
        """None: altered, moved, or sealed under another key."""
        head, nonce = box[:_HEAD], box[_HEAD : _HEAD + _NONCE]
        if head[:1] != _VERSION:
            return None
        try:
            packed = self._cipher.decrypt(nonce, box[_HEAD + _NONCE :], head + key.digest)
            value = self._unpacker.decompress(packed, max_output_size=_MOST_UNPACKED)
        except (InvalidTag, ValueError, zstandard.ZstdError):
            return None
        micros = int.from_bytes(head[1:])
        return KeptAnswer(value, _EPOCH + timedelta(microseconds=micros))
