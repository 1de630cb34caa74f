"""`manage.py doctor`: what is in force, where it came from, and what is wrong."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, connection
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError
from redis import Redis, RedisError

from gaiweb.celery import app
from gaiweb.embedded import schema
from providers import processes, rekey
from providers.credentials import ring, rotation
from providers.models import Provider, Route


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `is_well` None: worth knowing, no fault."""

    name: str
    is_well: bool | None
    words: str


class Command(BaseCommand):
    help = "Show the effective configuration and check what it leads to; 1 when something is wrong."
    requires_system_checks: list[str] = []  # noqa: RUF012 - as Django declares it

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="One JSON object.")

    def handle(self, *_: Any, **options: Any) -> None:
        findings = [finding for look in LOOKS for finding in look()]
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(findings), indent=2))
        else:
            self._print(findings)
        if any(finding.is_well is False for finding in findings):
            sys.exit(1)

    def _print(self, findings: list[Finding]) -> None:
        self.stdout.write("Configuration (environment over file over defaults)\n")
        for entry, value, source in settings.GAIWEB.entries():
            self.stdout.write(f"  {entry.name:<30} {value or '-':<44} {source}")
        self.stdout.write("\nChecks\n")
        marks = {True: "ok", False: "FAULT", None: "note"}
        for finding in findings:
            self.stdout.write(f"  {marks[finding.is_well]:<6} {finding.name:<14} {finding.words}")


def _as_json(findings: list[Finding]) -> dict[str, Any]:
    return {
        "settings": [
            {"name": entry.name, "value": value, "source": source}
            for entry, value, source in settings.GAIWEB.entries()
        ],
        "checks": [asdict(finding) for finding in findings],
    }


def look_at_names() -> list[Finding]:
    """Find misspelt names: they do nothing, silently; ours can be told by their beginning."""
    known = {entry.name for entry, _, _ in settings.GAIWEB.entries()}
    known |= {f"{entry.name}_FILE" for entry, _, _ in settings.GAIWEB.entries()}
    ours = {name for name in os.environ if name.startswith(("GAIWEB_", "FEATURE_"))}
    return [
        Finding("configuration", None, f"{name} is set, but there is no such setting")
        for name in sorted(ours - known)
    ] or [Finding("configuration", is_well=True, words="valid")]


def look_at_database() -> list[Finding]:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SHOW server_version")
            version = cursor.fetchone()[0]
        missing, newer = schema.pending(), schema.unknown()
    except DatabaseError as error:
        return [Finding("database", is_well=False, words=f"does not answer: {error}".strip())]
    kind = "embedded" if settings.GAIWEB.has_embedded_postgres else "external"
    return [
        Finding("database", is_well=True, words=f"{kind} Postgres {version}"),
        Finding("migrations", is_well=not (missing or newer), words=_migrations(missing, newer)),
    ]


def _migrations(missing: list[str], newer: list[str]) -> str:
    if newer:
        return f"a newer version made the database ({newer[0]}); update the code"
    if missing:
        return f"{len(missing)} to apply; run `manage.py migrate`"
    return "all applied"


def look_at_key_ring() -> list[Finding]:
    try:
        keys = ring.load().keys
        used = {name for by_key in rekey.counts().values() for name in by_key}
    except ring.RingUnreadable as error:
        return [Finding("key ring", is_well=False, words=str(error))]
    except DatabaseError:
        return [Finding("key ring", is_well=None, words="readable; credentials were not looked at")]
    if lost := sorted(used - set(keys)):
        words = f"lacks {', '.join(lost)}, which sealed stored secrets; add it back"
        return [Finding("key ring", is_well=False, words=words)]
    return [
        Finding("key ring", is_well=True, words=f"{len(keys)} key(s), opens every stored secret")
    ]


def look_at_old_keys() -> list[Finding]:
    """Name providers whose keys are due; no key is told."""
    days = settings.GAIWEB.credentials.remind_after_days
    try:
        due = rotation.due_by_provider(timezone.now(), timedelta(days=days))
    except DatabaseError:
        return []
    return [
        Finding("provider keys", None, f"{name}: {keys} older than {days} days; rotate them")
        for name, keys in due.items()
    ]


def look_at_broker() -> list[Finding]:
    url = settings.GAIWEB.broker_url
    if url.startswith("filesystem"):
        return [Finding("broker", is_well=True, words="files in the data directory")]
    try:
        with app.connection_for_write(connect_timeout=3) as broker:
            broker.ensure_connection(max_retries=1, timeout=3)
    except BrokerError as error:
        return [Finding("broker", is_well=False, words=f"does not answer: {error}")]
    return [Finding("broker", is_well=True, words="answers")]


def look_at_redis() -> list[Finding]:
    """Say who counts breakers and limits."""
    url = settings.GAIWEB.redis_url
    if url is None:
        words = "not set: breakers and limits are counted in each process"
        return [Finding("redis", is_well=None, words=words)]
    try:
        with Redis.from_url(url, socket_timeout=3, socket_connect_timeout=3) as redis:
            version = redis.info("server")["redis_version"]
    except RedisError as error:
        words = f"does not answer, so each process counts for itself: {error}"
        return [Finding("redis", is_well=False, words=words)]
    return [Finding("redis", is_well=True, words=f"{version}, shares breakers and limits")]


def look_at_processes() -> list[Finding]:
    """Say by which version of the settings file processes run, and what they could not take."""
    try:
        found = processes.agreement(settings.GAIWEB.version_on_disk, timezone.now())
    except DatabaseError:
        return []
    is_well = found.is_complete if found.processes and found.version else None
    words = f"{found.words} ({found.version})" if found.version else found.words
    findings = [Finding("processes", is_well, words)]
    findings += [Finding("settings file", is_well=False, words=fault) for fault in found.faults]
    if found.waiting:
        names = ", ".join(found.waiting)
        findings.append(Finding("settings file", None, f"takes effect after a restart: {names}"))
    return findings


def look_at_providers() -> list[Finding]:
    try:
        names = list(Provider.objects.filter(is_enabled=True).values_list("name", flat=True))
        routes = Route.objects.filter(is_enabled=True).count()
        empty = list(Route.objects.filter(targets=None).values_list("name", flat=True))
    except DatabaseError:
        return []
    words = f"{', '.join(names) or 'none yet'}; {routes} route(s)"
    found = [Finding("providers", is_well=True if names else None, words=words)]
    found += [Finding("routes", is_well=False, words=f"{name} leads nowhere") for name in empty]
    return found


LOOKS: tuple[Callable[[], list[Finding]], ...] = (
    look_at_names,
    look_at_database,
    look_at_key_ring,
    look_at_old_keys,
    look_at_broker,
    look_at_redis,
    look_at_processes,
    look_at_providers,
)
