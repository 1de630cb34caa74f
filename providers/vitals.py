"""What a process itself needs: its memory, and the tasks of its loop."""

from __future__ import annotations

import asyncio
import os
import resource
from pathlib import Path

from providers import metrics

EVERY_S = 5.0
_STATM = Path("/proc/self/statm")
_KIB = 1024


async def keep_measuring() -> None:
    """Measure this process and the running loop, for as long as that runs."""
    while True:
        metrics.process_memory.set(memory_bytes())
        metrics.asyncio_tasks.set(len(asyncio.all_tasks()))
        await asyncio.sleep(EVERY_S)


def memory_bytes() -> int:
    """Resident memory; where the system does not tell, the most there ever was."""
    try:
        # Source: proc(5), statm: the second figure is resident pages.
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB
