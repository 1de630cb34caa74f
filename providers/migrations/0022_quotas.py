"""Quotas of single keys, people and teams, told to every process when they change."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

TELL = """
CREATE TRIGGER gaiweb_tell_change
AFTER INSERT OR DELETE OR UPDATE ON providers_quota
FOR EACH STATEMENT EXECUTE FUNCTION gaiweb_tell_change()
"""

# Planned for every call, the windows of budgets cost as much as the rest of an admission: half of
# 0.63 ms. One plan does, since every list goes through an index or a table of a few rows.
PLAN_ONCE = "ALTER FUNCTION ledger_reserve SET plan_cache_mode = force_generic_plan"
PLAN_EACH = "ALTER FUNCTION ledger_reserve RESET plan_cache_mode"


def _of(model):
    return models.OneToOneField(
        blank=True,
        null=True,
        on_delete=django.db.models.deletion.CASCADE,
        related_name="quota",
        to=model,
    )


class Migration(migrations.Migration):
    dependencies = [("providers", "0021_statements")]

    operations = [
        migrations.CreateModel(
            name="Quota",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("rpm", models.PositiveIntegerField(blank=True, null=True)),
                ("tpm", models.PositiveIntegerField(blank=True, null=True)),
                ("parallel", models.PositiveIntegerField(blank=True, null=True)),
                ("daily_tokens", models.PositiveBigIntegerField(blank=True, null=True)),
                ("team", _of("providers.team")),
                ("user", _of(settings.AUTH_USER_MODEL)),
                ("key", _of("providers.virtualkey")),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("key", None), ("team__isnull", False), ("user", None)),
                            models.Q(("key", None), ("team", None), ("user__isnull", False)),
                            models.Q(("key__isnull", False), ("team", None), ("user", None)),
                            _connector="OR",
                        ),
                        name="quota_names_its_scope",
                    )
                ],
            },
        ),
        migrations.RunSQL(TELL, "DROP TRIGGER gaiweb_tell_change ON providers_quota"),
        migrations.RunSQL(PLAN_ONCE, PLAN_EACH),
    ]
