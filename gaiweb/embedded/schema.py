"""Bring the tables to what the code expects; one process at a time, however many start."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

if TYPE_CHECKING:
    from collections.abc import Iterator

# Any number will do that nothing else locks.
_LOCK = 7_405_115_030


def pending() -> list[str]:
    """Name the migrations that the database lacks; cheap enough for a probe at start."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def unknown() -> list[str]:
    """Name migrations that the database has and we do not: a newer version made it."""
    loader = MigrationExecutor(connection).loader
    ours = {app for app, _ in loader.graph.nodes}
    strangers = set(loader.applied_migrations) - set(loader.disk_migrations)
    return sorted(f"{app}.{name}" for app, name in strangers if app in ours)


def is_fresh() -> bool:
    return "django_migrations" not in connection.introspection.table_names()


def migrate() -> None:
    with _alone():
        if pending():
            call_command("migrate", interactive=False, verbosity=0)


@contextmanager
def _alone() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
