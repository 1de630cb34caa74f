"""Where the embedded servers keep their files; pure paths, so that settings can name them."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

POSTGRES_MAJOR = 18
PORT = 5432
# Linux allows 107 bytes for the path of a socket; the rest is `/.s.PGSQL.5432.lock`.
_LONGEST = 107 - 20


def cluster(data_dir: Path) -> Path:
    return data_dir / f"postgres-{POSTGRES_MAJOR}"


def socket_dir(data_dir: Path) -> Path:
    """In the data directory when its path is short enough, else one of our own in /tmp."""
    near = data_dir / "run"
    if len(os.fsencode(near)) <= _LONGEST:
        return near
    digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"gaiweb-{os.geteuid()}-{digest}"
