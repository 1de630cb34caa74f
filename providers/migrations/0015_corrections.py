"""A correction is an entry of its own and moves the counters of the windows it belongs to."""

from django.db import migrations, models

CORRECT = """
CREATE FUNCTION ledger_correct(
    p_first uuid, p_last uuid, p_cost bigint, p_reason text, p_actor text, p_now timestamptz
) RETURNS TABLE (verdict text, before_nano bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    hold record;
    known record;
    moved bigint;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1734437239);
    SELECT count(*) AS holds, bool_or(s.settled_at IS NULL) AS is_open INTO known FROM (
        SELECT id, settled_at FROM providers_reservation
        WHERE id >= p_first AND id <= p_last ORDER BY id FOR UPDATE
    ) s;
    SELECT * INTO hold FROM providers_reservation WHERE id = p_first;
    IF NOT FOUND OR known.is_open THEN
        RETURN QUERY SELECT CASE WHEN known.is_open THEN 'open' ELSE 'missing' END, NULL::bigint;
        RETURN;
    END IF;
    SELECT coalesce(sum(cost_nano), 0)::bigint AS cost,
        bool_or(cost_nano IS NULL) AND NOT bool_or(status = 'correction') AS is_unknown,
        bool_or(is_unconfirmed) AND NOT bool_or(status = 'correction') AS is_unconfirmed
    INTO known FROM providers_entry WHERE reservation_id >= p_first AND reservation_id <= p_last;
    moved := p_cost - known.cost;
    -- Of an unknown cost and of an unconfirmed one also "it was that" is news.
    IF moved = 0 AND NOT coalesce(known.is_unknown OR known.is_unconfirmed, false) THEN
        RETURN QUERY SELECT 'same', known.cost;
        RETURN;
    END IF;
    INSERT INTO providers_entry (
        reservation_id, source, user_id, team_id, key_id, route, attempt, at, provider, model,
        status, error_code, upstream_request_id, is_estimated, is_unconfirmed, cost_nano,
        price_version, reason, actor
    )
    SELECT hold.id, hold.source, hold.user_id, hold.team_id, hold.key_id, hold.route,
        -- The first is what counts as a request.
        greatest(coalesce(max(e.attempt), 0), 1) + 1, p_now,
        coalesce((array_agg(e.provider ORDER BY e.attempt DESC))[1], ''),
        coalesce((array_agg(e.model ORDER BY e.attempt DESC))[1], ''),
        'correction', '', '', false, false, moved, '', p_reason, p_actor
    FROM providers_entry e WHERE e.reservation_id = hold.id;

    PERFORM w.id FROM providers_budgetwindow w JOIN providers_budget b ON b.id = w.budget_id
    WHERE w.id = ANY (hold.windows) OR (
        w.starts_at <= hold.created_at AND (w.ends_at IS NULL OR w.ends_at > hold.created_at)
    )
    ORDER BY w.id FOR UPDATE OF w;
    -- Windows that were made later have the request in their opening, and so its correction.
    UPDATE providers_budgetwindow w
    SET spent_nano = w.spent_nano + moved,
        opening_nano = w.opening_nano + CASE WHEN w.id = ANY (hold.windows) THEN 0 ELSE moved END
    FROM providers_budget b
    WHERE b.id = w.budget_id AND (w.id = ANY (hold.windows) OR (
        w.starts_at <= hold.created_at AND (w.ends_at IS NULL OR w.ends_at > hold.created_at)
        AND (b.team_id IS NULL OR b.team_id = hold.team_id)
        AND (b.user_id IS NULL OR b.user_id = hold.user_id)
        AND (b.key_id IS NULL OR b.key_id = hold.key_id)
    ));
    RETURN QUERY SELECT 'booked', known.cost;
END
$$;
"""


class Migration(migrations.Migration):
    dependencies = [("providers", "0014_kept_replies")]

    operations = [
        migrations.AddField(
            model_name="entry",
            name="reason",
            field=models.CharField(blank=True, db_default="", max_length=300),
        ),
        migrations.AddField(
            model_name="entry",
            name="actor",
            field=models.CharField(blank=True, db_default="", max_length=254),
        ),
        migrations.RunSQL(CORRECT, "DROP FUNCTION ledger_correct"),
    ]
