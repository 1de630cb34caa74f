"""Entries carry every figure that a cost was computed of, and prices are kept by their version."""

import django.contrib.postgres.fields
import django.utils.timezone
from django.db import migrations, models

SETTLE = """
CREATE OR REPLACE FUNCTION ledger_settle(p_ids uuid[], p_entries json, p_now timestamptz)
RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    open_ids uuid[];
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1734437239);
    -- Open or not is asked of the locked rows: asked before, it would read every open reservation.
    SELECT array_agg(s.id) FILTER (WHERE s.settled_at IS NULL) INTO open_ids FROM (
        SELECT id, settled_at FROM providers_reservation
        WHERE id = ANY (p_ids) ORDER BY id FOR UPDATE
    ) s;
    IF open_ids IS NULL THEN RETURN 0; END IF;
    INSERT INTO providers_entry (
        reservation_id, source, user_id, team_id, key_id, route,
        attempt, at, provider, model, status, error_code, http_status, upstream_request_id,
        ttft_ms, duration_ms, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
        reasoning_tokens, cache_write_1h_tokens, input_audio_tokens, output_audio_tokens,
        web_searches, server_tool_calls, estimated_figures, is_share, is_estimated,
        is_unconfirmed, cost_nano, price_version
    )
    SELECT r.id, r.source, r.user_id, r.team_id, r.key_id, r.route,
        e.attempt, e.at, e.provider, e.model, e.status, e.error_code, e.http_status,
        e.upstream_request_id, e.ttft_ms, e.duration_ms, e.input_tokens, e.output_tokens,
        e.cache_read_tokens, e.cache_write_tokens, e.reasoning_tokens, e.cache_write_1h_tokens,
        e.input_audio_tokens, e.output_audio_tokens, e.web_searches, e.server_tool_calls,
        e.estimated_figures, coalesce(e.is_share, false), e.is_estimated, e.is_unconfirmed,
        e.cost_nano, e.price_version
    FROM json_to_recordset(p_entries) AS e(
        reservation uuid, attempt smallint, at timestamptz, provider text, model text, status text,
        error_code text, http_status smallint, upstream_request_id text, ttft_ms int,
        duration_ms int, input_tokens int, output_tokens int, cache_read_tokens int,
        cache_write_tokens int, reasoning_tokens int, cache_write_1h_tokens int,
        input_audio_tokens int, output_audio_tokens int, web_searches int, server_tool_calls int,
        estimated_figures text[], is_share boolean, is_estimated boolean, is_unconfirmed boolean,
        cost_nano bigint, price_version text
    ) JOIN providers_reservation r ON r.id = e.reservation
    WHERE r.id = ANY (open_ids);
    PERFORM ledger_close(open_ids, p_now);
    RETURN cardinality(open_ids);
END
$$;
"""

BOOK_HITS = """
CREATE OR REPLACE FUNCTION ledger_book_hits(p_entries json, p_now timestamptz) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
    booked int;
BEGIN
    WITH hits AS (
        SELECT * FROM json_to_recordset(p_entries) AS e(
            reservation uuid, source text, user_id bigint, team_id bigint, key_id bigint,
            route text, attempt smallint, at timestamptz, provider text, model text, status text,
            input_tokens int, output_tokens int, cache_read_tokens int, cache_write_tokens int,
            reasoning_tokens int, cache_write_1h_tokens int, input_audio_tokens int,
            output_audio_tokens int, web_searches int, server_tool_calls int,
            estimated_figures text[], is_estimated boolean, saved_nano bigint, price_version text
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
        cache_write_tokens, reasoning_tokens, cache_write_1h_tokens, input_audio_tokens,
        output_audio_tokens, web_searches, server_tool_calls, estimated_figures, is_estimated,
        is_unconfirmed, cost_nano, price_version, is_cached, saved_nano
    )
    SELECT h.reservation, h.source, h.user_id, h.team_id, h.key_id, h.route, h.attempt, h.at,
        h.provider, h.model, h.status, '', '', h.input_tokens, h.output_tokens,
        h.cache_read_tokens, h.cache_write_tokens, h.reasoning_tokens,
        h.cache_write_1h_tokens, h.input_audio_tokens, h.output_audio_tokens, h.web_searches,
        h.server_tool_calls, h.estimated_figures, h.is_estimated, false, 0, h.price_version, true,
        h.saved_nano
    FROM hits h JOIN made ON made.id = h.reservation;
    GET DIAGNOSTICS booked = ROW_COUNT;
    RETURN booked;
END
$$;
"""

COUNTS = (
    "cache_write_1h_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "web_searches",
    "server_tool_calls",
)


class Migration(migrations.Migration):
    dependencies = [("providers", "0011_hosted_tools")]

    operations = [
        migrations.CreateModel(
            name="PriceVersion",
            fields=[
                (
                    "version",
                    models.CharField(max_length=120, primary_key=True, serialize=False),
                ),
                ("rates", models.JSONField()),
                ("first_seen_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        *(
            migrations.AddField(
                model_name="entry", name=name, field=models.PositiveIntegerField(null=True)
            )
            for name in COUNTS
        ),
        migrations.AddField(
            model_name="entry",
            name="estimated_figures",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=40), null=True, size=None
            ),
        ),
        migrations.AddField(
            model_name="entry",
            name="is_share",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.RunSQL(SETTLE, migrations.RunSQL.noop),
        migrations.RunSQL(BOOK_HITS, migrations.RunSQL.noop),
    ]
