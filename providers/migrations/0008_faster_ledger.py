"""Replaces the ledger's functions in databases that have an earlier form of 0004."""

from importlib import import_module

from django.db import migrations

functions = import_module("providers.migrations.0004_ledger_functions")


class Migration(migrations.Migration):
    dependencies = [("providers", "0007_fewer_indexes")]

    operations = [
        migrations.RunSQL(
            functions.DROP + "".join(functions.Migration.operations[0].sql), migrations.RunSQL.noop
        )
    ]
