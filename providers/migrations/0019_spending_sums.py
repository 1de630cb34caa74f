"""Sums of the ledger's entries: quarter hours by a trigger of the entries, days out of them.

A day is summed once it is over; what is dated in it later is added by the same trigger. Until then
reports read its quarter hours, so they are right whether or not anybody sums days.

Order of locks, as in 0002: the advisory lock, reservations, then here groups, quarters and days,
each in the order of their keys, then windows. So no two writers can wait for each other in a ring.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

LOCK = 1734437239
DIMENSIONS = "team_id, user_id, key_id, provider, model, route, source, tag"
OF_ENTRY = "e.team_id, e.user_id, e.key_id, e.provider, e.model, e.route, e.source, e.tag"
GROUP_ID = f"ledger_spend_group({OF_ENTRY})"
QUARTER = "date_bin('15 minutes', e.at, 'epoch'::timestamptz)"
FIGURES = {
    "requests": "count(*) FILTER (WHERE e.attempt <= 1)",
    "attempts": "count(*) FILTER (WHERE NOT e.is_cached AND e.status <> 'correction')",
    "retried": "count(*) FILTER (WHERE e.attempt > 1 AND e.status <> 'correction')",
    "wasted": "count(*) FILTER (WHERE e.status NOT IN ('ok', 'correction'))",
    "cached": "count(*) FILTER (WHERE e.is_cached)",
    "unpriced": "count(*) FILTER (WHERE e.cost_nano IS NULL)",
    "estimated": "count(*) FILTER (WHERE e.is_estimated AND NOT e.is_cached)",
    "input_tokens": "sum(e.input_tokens) FILTER (WHERE NOT e.is_cached)",
    "output_tokens": "sum(e.output_tokens) FILTER (WHERE NOT e.is_cached)",
    "cache_read_tokens": "sum(e.cache_read_tokens) FILTER (WHERE NOT e.is_cached)",
    "cache_write_tokens": "sum(e.cache_write_tokens) FILTER (WHERE NOT e.is_cached)",
    "reasoning_tokens": "sum(e.reasoning_tokens) FILTER (WHERE NOT e.is_cached)",
    "input_audio_tokens": "sum(e.input_audio_tokens) FILTER (WHERE NOT e.is_cached)",
    "output_audio_tokens": "sum(e.output_audio_tokens) FILTER (WHERE NOT e.is_cached)",
    "cost_nano": "sum(e.cost_nano)",
    "estimated_nano": "sum(e.cost_nano) FILTER (WHERE e.is_estimated)",
    "unconfirmed_nano": "sum(e.cost_nano) FILTER (WHERE e.is_unconfirmed)",
    "corrected_nano": "sum(e.cost_nano) FILTER (WHERE e.status = 'correction')",
    "wasted_nano": "sum(e.cost_nano) FILTER (WHERE e.status NOT IN ('ok', 'correction'))",
    "failed_nano": "sum(e.cost_nano) FILTER (WHERE e.status = 'failed')",
    "cut_nano": "sum(e.cost_nano) FILTER (WHERE e.status = 'cut')",
    "cancelled_nano": "sum(e.cost_nano) FILTER (WHERE e.status = 'cancelled')",
    "saved_nano": "sum(e.saved_nano)",
}
NAMES = ", ".join(FIGURES)
SUMS = ", ".join(f"coalesce({sql}, 0)::bigint AS {name}" for name, sql in FIGURES.items())
SUMS_OF_SUMS = ", ".join(f"sum(s.{name})" for name in FIGURES)
ADDED = ", ".join(f"{name} = s.{name} + excluded.{name}" for name in FIGURES)

GROUPS = """
CREATE FUNCTION ledger_spend_group(
    team bigint, person bigint, key bigint, provider text, model text, route text, source text,
    tag text
) RETURNS uuid LANGUAGE sql STABLE AS $$
    -- A row's text quotes its parts, so no two combinations have the same one.
    SELECT encode(substring(sha256(convert_to(
        ROW(team, person, key, provider, model, route, source, tag)::text, 'UTF8'
    )) FOR 16), 'hex')::uuid
$$;
"""

TRIGGER = f"""
CREATE OR REPLACE FUNCTION ledger_sum_entries() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    fold record;
BEGIN
    PERFORM pg_advisory_xact_lock_shared({LOCK});
    WITH sums AS MATERIALIZED (
        SELECT {QUARTER} AS quarter, {GROUP_ID} AS group_id, {OF_ENTRY}, {SUMS}
        FROM made e GROUP BY 1, 2, {OF_ENTRY}
    ), groups AS (
        INSERT INTO providers_spendgroup (id, {DIMENSIONS})
        SELECT DISTINCT group_id AS id, {DIMENSIONS} FROM sums
        WHERE NOT EXISTS (SELECT 1 FROM providers_spendgroup g WHERE g.id = group_id)
        ORDER BY 1 ON CONFLICT (id) DO NOTHING
    )
    INSERT INTO providers_spendquarter AS s (quarter, group_id, {NAMES})
    SELECT quarter, group_id, {NAMES} FROM sums ORDER BY 1, 2
    ON CONFLICT (quarter, group_id) DO UPDATE SET {ADDED};
    SELECT time_zone, until INTO fold FROM providers_spendfold WHERE until > (
        SELECT min(at) FROM made
    );
    IF FOUND THEN
        INSERT INTO providers_spendday AS s (day, group_id, {NAMES})
        SELECT (e.at AT TIME ZONE fold.time_zone)::date, {GROUP_ID}, {SUMS}
        FROM made e WHERE e.at < fold.until GROUP BY 1, 2 ORDER BY 1, 2
        ON CONFLICT (day, group_id) DO UPDATE SET {ADDED};
    END IF;
    RETURN NULL;
END
$$;
"""

ATTACH = """
CREATE TRIGGER ledger_sum_entries AFTER INSERT ON providers_entry
REFERENCING NEW TABLE AS made FOR EACH STATEMENT EXECUTE FUNCTION ledger_sum_entries();
"""

# What the sums must be; `ledger check` compares them with it.
AGAIN = f"""
CREATE VIEW ledger_entry_sums AS
SELECT {QUARTER} AS quarter, {GROUP_ID} AS group_id, {SUMS} FROM providers_entry e GROUP BY 1, 2;
"""

FOLD = f"""
CREATE FUNCTION ledger_fold_day(p_now timestamptz) RETURNS date LANGUAGE plpgsql AS $$
DECLARE
    fold record;
    next_day date;
BEGIN
    -- Alone, for as long as one day takes: no entry may fall between its quarters and its sum.
    PERFORM pg_advisory_xact_lock({LOCK});
    INSERT INTO providers_spendfold (id, time_zone)
    VALUES (1, coalesce((SELECT time_zone FROM providers_organisation), 'UTC'))
    ON CONFLICT (id) DO NOTHING;
    SELECT time_zone, coalesce(until, (SELECT min(quarter) FROM providers_spendquarter)) AS until
    INTO fold FROM providers_spendfold;
    next_day := (fold.until AT TIME ZONE fold.time_zone)::date;
    IF next_day IS NULL OR next_day >= (p_now AT TIME ZONE fold.time_zone)::date THEN
        RETURN NULL;
    END IF;
    INSERT INTO providers_spendday (day, group_id, {NAMES})
    SELECT next_day, s.group_id, {SUMS_OF_SUMS} FROM providers_spendquarter s
    WHERE s.quarter >= ledger_first_instant(next_day, fold.time_zone)
        AND s.quarter < ledger_first_instant(next_day + 1, fold.time_zone)
    GROUP BY 2;
    UPDATE providers_spendfold SET until = ledger_first_instant(next_day + 1, fold.time_zone);
    RETURN next_day;
END
$$;

CREATE FUNCTION ledger_follow_zone() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    zone text := coalesce((SELECT time_zone FROM providers_organisation), 'UTC');
BEGIN
    PERFORM pg_advisory_xact_lock({LOCK});
    UPDATE providers_spendfold SET time_zone = zone, until = NULL WHERE time_zone <> zone;
    IF FOUND THEN
        DELETE FROM providers_spendday;
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER ledger_follow_zone AFTER INSERT OR DELETE OR UPDATE OF time_zone
ON providers_organisation FOR EACH STATEMENT EXECUTE FUNCTION ledger_follow_zone();

CREATE FUNCTION ledger_rebuild_sums() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    made bigint;
BEGIN
    PERFORM pg_advisory_xact_lock({LOCK});
    DELETE FROM providers_spendday;
    DELETE FROM providers_spendquarter;
    DELETE FROM providers_spendgroup;
    UPDATE providers_spendfold SET until = NULL;
    INSERT INTO providers_spendgroup (id, {DIMENSIONS})
    SELECT {GROUP_ID.replace("e.", "d.")}, d.*
    FROM (SELECT DISTINCT {OF_ENTRY} FROM providers_entry e) d;
    INSERT INTO providers_spendquarter (quarter, group_id, {NAMES})
    SELECT quarter, group_id, {NAMES} FROM ledger_entry_sums;
    GET DIAGNOSTICS made = ROW_COUNT;
    RETURN made;
END
$$;
"""

# Rows of the present are written again and again: room beside them keeps their index still.
ROOM = "ALTER TABLE providers_spendquarter SET (fillfactor = 70)"

DROP = """
DROP TRIGGER ledger_follow_zone ON providers_organisation;
DROP TRIGGER ledger_sum_entries ON providers_entry;
DROP FUNCTION ledger_follow_zone, ledger_rebuild_sums, ledger_fold_day, ledger_sum_entries;
DROP VIEW ledger_entry_sums;
DROP FUNCTION ledger_spend_group;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("providers", "0018_budget_policies"),
    ]

    operations = [
        migrations.CreateModel(
            name="SpendGroup",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("provider", models.TextField()),
                ("model", models.TextField()),
                ("route", models.TextField()),
                ("source", models.TextField()),
                ("tag", models.TextField()),
                (
                    "key",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="providers.virtualkey",
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="providers.team",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="SpendDay",
            fields=[
                ("requests", models.IntegerField(default=0)),
                ("attempts", models.IntegerField(default=0)),
                ("retried", models.IntegerField(default=0)),
                ("wasted", models.IntegerField(default=0)),
                ("cached", models.IntegerField(default=0)),
                ("unpriced", models.IntegerField(default=0)),
                ("estimated", models.IntegerField(default=0)),
                ("input_tokens", models.BigIntegerField(default=0)),
                ("output_tokens", models.BigIntegerField(default=0)),
                ("cache_read_tokens", models.BigIntegerField(default=0)),
                ("cache_write_tokens", models.BigIntegerField(default=0)),
                ("reasoning_tokens", models.BigIntegerField(default=0)),
                ("input_audio_tokens", models.BigIntegerField(default=0)),
                ("output_audio_tokens", models.BigIntegerField(default=0)),
                ("cost_nano", models.BigIntegerField(default=0)),
                ("estimated_nano", models.BigIntegerField(default=0)),
                ("unconfirmed_nano", models.BigIntegerField(default=0)),
                ("corrected_nano", models.BigIntegerField(default=0)),
                ("wasted_nano", models.BigIntegerField(default=0)),
                ("failed_nano", models.BigIntegerField(default=0)),
                ("cut_nano", models.BigIntegerField(default=0)),
                ("cancelled_nano", models.BigIntegerField(default=0)),
                ("saved_nano", models.BigIntegerField(default=0)),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "day",
                        "group",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("day", models.DateField()),
                (
                    "group",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="providers.spendgroup",
                    ),
                ),
            ],
            options={
                "verbose_name": "sums of a day",
            },
        ),
        migrations.CreateModel(
            name="SpendQuarter",
            fields=[
                ("requests", models.IntegerField(default=0)),
                ("attempts", models.IntegerField(default=0)),
                ("retried", models.IntegerField(default=0)),
                ("wasted", models.IntegerField(default=0)),
                ("cached", models.IntegerField(default=0)),
                ("unpriced", models.IntegerField(default=0)),
                ("estimated", models.IntegerField(default=0)),
                ("input_tokens", models.BigIntegerField(default=0)),
                ("output_tokens", models.BigIntegerField(default=0)),
                ("cache_read_tokens", models.BigIntegerField(default=0)),
                ("cache_write_tokens", models.BigIntegerField(default=0)),
                ("reasoning_tokens", models.BigIntegerField(default=0)),
                ("input_audio_tokens", models.BigIntegerField(default=0)),
                ("output_audio_tokens", models.BigIntegerField(default=0)),
                ("cost_nano", models.BigIntegerField(default=0)),
                ("estimated_nano", models.BigIntegerField(default=0)),
                ("unconfirmed_nano", models.BigIntegerField(default=0)),
                ("corrected_nano", models.BigIntegerField(default=0)),
                ("wasted_nano", models.BigIntegerField(default=0)),
                ("failed_nano", models.BigIntegerField(default=0)),
                ("cut_nano", models.BigIntegerField(default=0)),
                ("cancelled_nano", models.BigIntegerField(default=0)),
                ("saved_nano", models.BigIntegerField(default=0)),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "quarter",
                        "group",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("quarter", models.DateTimeField()),
                (
                    "group",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="providers.spendgroup",
                    ),
                ),
            ],
            options={
                "verbose_name": "sums of a quarter hour",
            },
        ),
        migrations.CreateModel(
            name="SpendFold",
            fields=[
                (
                    "id",
                    models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False),
                ),
                ("time_zone", models.CharField(max_length=64)),
                ("until", models.DateTimeField(null=True)),
            ],
        ),
        migrations.RunSQL([ROOM, GROUPS, AGAIN, TRIGGER, FOLD, ATTACH], DROP),
        migrations.RunSQL("SELECT ledger_rebuild_sums()", migrations.RunSQL.noop),
    ]
