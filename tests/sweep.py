"""Leaves a test database as the migrations made it, after tests that committed rows."""

from __future__ import annotations

from django.apps import apps
from django.db import connection

_MADE_BY_MIGRATIONS = {
    "auth_permission",
    "django_content_type",
    "providers_organisation",
}


def sweep() -> None:
    """Empty the tables; truncated, since rows of some are kept from deletion."""
    tables = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    names = ", ".join(sorted(tables - _MADE_BY_MIGRATIONS))
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {names}")
    connection.close()
