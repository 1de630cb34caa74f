"""What a web or a worker process does when its configuration changes."""

from __future__ import annotations

import asyncio
import logging
import os
import socket

from django.conf import settings
from django.db import DatabaseError, connections
from django.utils import timezone
from structlog import get_logger

from gaiweb.config import Config
from gaiweb.hot_reload import HotReload, InForce
from gaiweb.tracing import traces
from providers import gateway, processes

log = get_logger(__name__)


class Follower:
    """A service of the process. `kind` is its name before people: web, worker.

    `leads`: it also makes the catalog follow the providers of the environment, as at its start.
    """

    def __init__(self, kind: str, *, leads: bool) -> None:
        self._kind = kind
        self._leads = leads
        self._host = socket.gethostname()
        self._reload: HotReload | None = None

    async def start(self) -> None:
        self.open()

    async def stop(self) -> None:
        await asyncio.to_thread(self.close)

    def open(self) -> None:
        reload = self._reload = HotReload(settings.GAIWEB, adopt)
        if self._leads:
            reload.subscribe(_lead_catalog)
        reload.subscribe(_reconfigure)
        reload.subscribe(self._report, processes.REPORT_EVERY_S).put(reload.in_force)
        reload.start()

    def close(self) -> None:
        if self._reload is None:
            return
        self._reload.stop()
        try:
            processes.forget(self._host, os.getpid())
        except DatabaseError as fault:
            # The row is not renewed any more, which says the same half a minute later.
            log.warning("process_not_forgotten", fault=type(fault).__name__)
        finally:
            connections.close_all()

    def _report(self, found: InForce) -> None:
        report = processes.Report(
            kind=self._kind,
            host=self._host,
            pid=os.getpid(),
            version=found.version,
            loaded_at=found.loaded_at,
            fault=found.fault,
            waiting=found.waiting,
        )
        try:
            processes.report(report, timezone.now())
        finally:
            connections.close_all()


def adopt(config: Config) -> None:
    """Show it to everybody who reads the settings when they need them."""
    # A reader that cached the old one at the same moment is put right by the next call.
    if settings.GAIWEB is not config:
        settings.GAIWEB = config
    root, level = logging.getLogger(), getattr(logging, config.log_level)
    if root.level != level:
        root.setLevel(level)
    traces.sample(config.tracing.traces_sampler_arg)


def _lead_catalog(_: InForce) -> None:
    gateway.follow_environment()


def _reconfigure(_: InForce) -> None:
    gateway.reconfigure()
