"""Several credentials of a holder, each with a weight, and what became of them."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("providers", "0012_entry_usage"),
    ]

    operations = [
        migrations.CreateModel(
            name="CredentialUse",
            fields=[
                (
                    "credential",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="use",
                        serialize=False,
                        to="providers.credential",
                    ),
                ),
                ("taken_at", models.DateTimeField(null=True)),
                ("refused_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="credential",
            name="one_credential_a_holder",
        ),
        migrations.AddField(
            model_name="credential",
            name="ends_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="credential",
            name="label",
            field=models.CharField(blank=True, max_length=60),
        ),
        migrations.AddField(
            model_name="credential",
            name="seal_id",
            field=models.UUIDField(null=True, unique=True),
        ),
        migrations.AddField(
            model_name="credential",
            name="weight",
            field=models.FloatField(default=1.0),
        ),
    ]
