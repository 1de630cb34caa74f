"""Every process says by which configuration it runs, so that one page can tell of all of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from providers.models import RunningProcess

REPORT_EVERY_S = 10.0
_GONE_AFTER = timedelta(seconds=3.5 * REPORT_EVERY_S)


@dataclass(frozen=True, slots=True)
class Report:
    """One process about itself; see `RunningProcess`."""

    kind: str
    host: str
    pid: int
    version: str
    loaded_at: datetime
    fault: str
    waiting: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How the running processes stand to one version of the file. Empty: there is no file."""

    version: str
    processes: tuple[RunningProcess, ...]

    @property
    def agreeing(self) -> int:
        return sum(each.version == self.version for each in self.processes)

    @property
    def is_complete(self) -> bool:
        return self.agreeing == len(self.processes)

    @property
    def faults(self) -> list[str]:
        """Why the file was not taken, each reason once."""
        return list(dict.fromkeys(each.fault for each in self.processes if each.fault))

    @property
    def waiting(self) -> list[str]:
        """Name the settings that somebody takes at a restart only."""
        return sorted({name for each in self.processes for name in each.waiting})

    @property
    def words(self) -> str:
        total = len(self.processes)
        if not total:
            return "No process runs"
        if not self.version:
            versions = " and ".join(sorted({each.version for each in self.processes} - {""}))
            how = f"at version {versions}" if versions else "without a settings file"
            return f"{total} process{'' if total == 1 else 'es'}, {how}"
        if self.is_complete:
            whose = "The only process runs" if total == 1 else f"All {total} processes run"
            return f"{whose} this version"
        return f"{self.agreeing} of {total} processes run this version"


def report(found: Report, now: datetime) -> None:
    """Write what this process runs by, and drop the rows of those that are long gone."""
    RunningProcess.objects.update_or_create(
        host=found.host,
        pid=found.pid,
        defaults={
            "kind": found.kind,
            "version": found.version,
            "loaded_at": found.loaded_at,
            "fault": found.fault,
            "waiting": list(found.waiting),
            "seen_at": now,
        },
    )
    RunningProcess.objects.filter(seen_at__lt=now - 10 * _GONE_AFTER).delete()


def forget(host: str, pid: int) -> None:
    RunningProcess.objects.filter(host=host, pid=pid).delete()


def agreement(version: str, now: datetime) -> Agreement:
    alive = RunningProcess.objects.filter(seen_at__gte=now - _GONE_AFTER)
    return Agreement(version, tuple(alive.order_by("kind", "host", "pid")))
