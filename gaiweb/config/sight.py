"""What files look like from outside: enough to notice every way in which they are replaced."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

_VERSION_CHARACTERS = 8


@dataclass(frozen=True, slots=True)
class Sight:
    """One look at a file. Two that are equal: nothing was written in between.

    `place` is where links lead to; of a file that cannot be read only the path is known.
    """

    place: str
    inode: int = 0
    size: int = -1
    mtime_ns: int = 0
    digest: str = ""

    @property
    def version(self) -> str:
        """Name the content, short enough to be compared by eye; empty: there is none."""
        return self.digest[:_VERSION_CHARACTERS]


def look(path: Path) -> Sight:
    place = str(path)
    try:
        place = str(path.resolve())
        content = path.read_bytes()
        found = path.stat()
    except (OSError, RuntimeError):
        # A link that leads to itself is a RuntimeError.
        return Sight(place)
    digest = hashlib.sha256(content).hexdigest()
    return Sight(place, found.st_ino, found.st_size, found.st_mtime_ns, digest)
