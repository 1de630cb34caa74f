"""Static files: collected under hashed names when `manage.py up` finds them changed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import brotli
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from servestatic.compress import Compressor
from servestatic.storage import CompressedManifestStaticFilesStorage


class QuickCompressor(Compressor):  # type: ignore[misc]  # untyped base
    """Much faster than the best quality, for files that are a tenth larger."""

    @staticmethod
    def compress_brotli(data: bytes) -> bytes:
        return bytes(brotli.compress(data, quality=9))


class HashedFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # untyped base
    """Imports between our modules are hashed too, so that no browser mixes two versions."""

    support_js_module_import_aggregation = True

    def create_compressor(self, **options: Any) -> Compressor:
        return QuickCompressor(**options)


def collect_if_changed() -> bool:
    """Collect into STATIC_ROOT; True when there was something to do."""
    root = Path(settings.STATIC_ROOT)
    stamp = root.with_name("static.stamp")
    now = _fingerprint()
    if root.is_dir() and stamp.is_file() and stamp.read_text() == now:
        return False
    stamp.unlink(missing_ok=True)
    call_command("collectstatic", interactive=False, clear=True, verbosity=0)
    stamp.write_text(now)
    return True


def _fingerprint() -> str:
    """Digest names, sizes and times: what an editor or a new version changes."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for finder in get_finders():
        for name, storage in sorted(finder.list(None), key=lambda found: found[0]):
            status = Path(storage.path(name)).stat()
            digest.update(f"{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
