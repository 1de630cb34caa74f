"""A running process follows its settings file: watch, validate, diff, publish.

Whatever is wrong with the file, what was in force stays in force, and the process says why.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from django.utils import timezone
from structlog import get_logger

from gaiweb import config
from gaiweb.config import Config, ConfigInvalid, Fault, names
from gaiweb.config.following import follow
from gaiweb.config.sight import Sight, look
from gaiweb.slot import Subscriber
from providers import metrics

log = get_logger(__name__)

EVERY_S = 0.5
"""Between two looks; what was seen alike twice is stable, so a change is taken within a second."""


@dataclass(frozen=True, slots=True)
class InForce:
    """What a process runs by. `version` names the file's content, empty without a file.

    `fault`: why the file as it is now was not taken, empty when it was. `waiting`: settings that
    differ in it and take effect after a restart.
    """

    config: Config
    version: str
    loaded_at: datetime
    fault: str = ""
    waiting: tuple[str, ...] = ()


class HotReload:
    """Looks at the files of settings every `every_s`, in a thread of its own.

    `adopt` is called first, in that thread, at the start too, and once more at each look: it must
    be quick and harmless to repeat. Then each subscriber gets it, in its own time.
    """

    def __init__(
        self,
        start: Config,
        adopt: Callable[[Config], None],
        environ: Mapping[str, str] = os.environ,
        every_s: float = EVERY_S,
        utcnow: Callable[[], datetime] = timezone.now,
    ) -> None:
        self._adopt = adopt
        self._environ = environ
        self._every_s = every_s
        self._utcnow = utcnow
        self._paths = watched(environ)
        self._seen = self._tried = self._sights()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="hot-reload", daemon=True)
        self._subscribers: list[Subscriber[InForce]] = []
        self.in_force = InForce(start, self._version(self._seen), utcnow())

    def subscribe(
        self, apply: Callable[[InForce], None], again_s: float | None = None
    ) -> Subscriber[InForce]:
        """Give `apply` the newest whenever there is one, and every `again_s` in any case."""
        subscriber = Subscriber(apply, again_s)
        self._subscribers.append(subscriber)
        return subscriber

    def start(self) -> None:
        self._adopt(self.in_force.config)
        for subscriber in self._subscribers:
            subscriber.start()
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()
        for subscriber in self._subscribers:
            subscriber.stop()

    def look(self) -> None:
        """Look once; a sight that is new and has become stable is tried."""
        sights = self._sights()
        is_stable, self._seen = sights == self._seen, sights
        if is_stable and sights != self._tried:
            self._tried = sights
            self._try(sights)

    def _watch(self) -> None:
        # The first load was before the first look: a change in between would never be noticed.
        self._try(self._seen)
        while not self._ended.wait(self._every_s):
            self._adopt(self.in_force.config)
            self.look()

    def _try(self, sights: list[Sight]) -> None:
        try:
            _refuse_emptied(self._paths, sights)
            new = config.load(self._environ)
        except ConfigInvalid as invalid:
            self._refuse(invalid)
            return
        if self._sights() != sights:
            # Written while it was read: the next look decides.
            self._tried = []
            return
        self._take(new, self._version(sights))

    def _take(self, new: Config, version: str) -> None:
        before, found = self.in_force, follow(self.in_force.config, new)
        after = replace(before, version=version, fault="", waiting=found.waiting)
        if after == before and not found.changed:
            return
        metrics.config_reloads.labels("taken").inc()
        log.info("configuration_followed", changed=found.changed, waiting=found.waiting)
        self._publish(replace(after, config=found.config, loaded_at=self._utcnow()))

    def _refuse(self, invalid: ConfigInvalid) -> None:
        fault = " ".join(str(each) for each in invalid.faults)
        if fault != self.in_force.fault:
            metrics.config_reloads.labels("refused").inc()
            log.error("configuration_refused", fault=fault)
            self._publish(replace(self.in_force, fault=fault))

    def _publish(self, after: InForce) -> None:
        self.in_force = after
        self._adopt(after.config)
        for subscriber in self._subscribers:
            subscriber.put(after)

    def _sights(self) -> list[Sight]:
        return [look(path) for path in self._paths]

    def _version(self, sights: list[Sight]) -> str:
        return sights[0].version if self._environ.get("CONFIG_PATH") else ""


def _refuse_emptied(paths: list[Path], sights: list[Sight]) -> None:
    """Take an empty file for one that is being written; at a start it would count as it is."""
    empty = [path for path, sight in zip(paths, sights, strict=True) if sight.size == 0]
    if empty:
        hint = "Nothing is taken from it."
        raise ConfigInvalid([Fault(str(path), "is empty", hint) for path in empty])


def watched(environ: Mapping[str, str]) -> list[Path]:
    """List the files that settings come from: the settings file first, then those of secrets."""
    secrets = [f"{entry.name}_FILE" for entry in names.declared(Config) if entry.is_secret]
    return [Path(environ[name]) for name in ("CONFIG_PATH", *secrets) if environ.get(name)]
