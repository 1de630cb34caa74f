"""Answers of the cache cost nothing and are booked; they lie in an unlogged table."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

# Nothing is held and nothing spent, so no window is touched. A reservation that is settled from
# the start keeps the law that every entry has one, and makes booking twice harmless.
BOOK_HITS = """
CREATE FUNCTION ledger_book_hits(p_entries json, p_now timestamptz) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
    booked int;
BEGIN
    WITH hits AS (
        SELECT * FROM json_to_recordset(p_entries) AS e(
            reservation uuid, source text, user_id bigint, team_id bigint, key_id bigint,
            route text, attempt smallint, at timestamptz, provider text, model text, status text,
            input_tokens int, output_tokens int, cache_read_tokens int, cache_write_tokens int,
            reasoning_tokens int, is_estimated boolean, saved_nano bigint, price_version text
        )
    ), made AS (
        INSERT INTO providers_reservation (id, source, user_id, team_id, key_id, route, windows,
            held_nano, created_at, expires_at, settled_at)
        SELECT reservation, source, user_id, team_id, key_id, route, '{}', 0, at, at, p_now
        FROM hits ON CONFLICT (id) DO NOTHING RETURNING id
    )
    INSERT INTO providers_entry (
        reservation_id, source, user_id, team_id, key_id, route, attempt, at, provider, model,
        status, error_code, upstream_request_id, input_tokens, output_tokens, cache_read_tokens,
        cache_write_tokens, reasoning_tokens, is_estimated, is_unconfirmed, cost_nano,
        price_version, is_cached, saved_nano
    )
    SELECT h.reservation, h.source, h.user_id, h.team_id, h.key_id, h.route, h.attempt, h.at,
        h.provider, h.model, h.status, '', '', h.input_tokens, h.output_tokens,
        h.cache_read_tokens, h.cache_write_tokens, h.reasoning_tokens, h.is_estimated, false, 0,
        h.price_version, true, h.saved_nano
    FROM hits h JOIN made ON made.id = h.reservation;
    GET DIAGNOSTICS booked = ROW_COUNT;
    RETURN booked;
END
$$;
"""
TELL = """
CREATE TRIGGER gaiweb_tell_change
AFTER INSERT ON providers_cachepurge
FOR EACH STATEMENT EXECUTE FUNCTION gaiweb_tell_change()
"""


class Migration(migrations.Migration):
    dependencies = [("providers", "0006_health_history")]

    operations = [
        migrations.AddField(
            model_name="entry",
            name="is_cached",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="entry",
            name="saved_nano",
            field=models.BigIntegerField(null=True),
        ),
        migrations.CreateModel(
            name="CachedAnswer",
            fields=[
                ("digest", models.BinaryField(primary_key=True, serialize=False)),
                ("team_id", models.BigIntegerField()),
                ("route", models.CharField(max_length=120)),
                ("value", models.BinaryField()),
                ("kept_at", models.DateTimeField()),
            ],
            options={
                "indexes": [
                    models.Index(fields=["team_id", "route"], name="cached_of_team_and_route"),
                    models.Index(fields=["kept_at"], name="cached_by_age"),
                ],
            },
        ),
        migrations.CreateModel(
            name="CachePurge",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("team_id", models.BigIntegerField(null=True)),
                ("route", models.CharField(max_length=120, null=True)),
                (
                    "by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"indexes": [models.Index(fields=["at"], name="purges_by_time")]},
        ),
        migrations.RunSQL(
            "ALTER TABLE providers_cachedanswer SET UNLOGGED",
            "ALTER TABLE providers_cachedanswer SET LOGGED",
        ),
        # Packed and sealed bytes do not get smaller.
        migrations.RunSQL(
            "ALTER TABLE providers_cachedanswer ALTER COLUMN value SET STORAGE EXTERNAL",
            migrations.RunSQL.noop,
        ),
        migrations.RunSQL(BOOK_HITS, "DROP FUNCTION ledger_book_hits"),
        migrations.RunSQL(TELL, "DROP TRIGGER gaiweb_tell_change ON providers_cachepurge"),
    ]
