"""A tag on requests, holds and entries, and budgets of a tag."""

from django.conf import settings
from django.db import migrations, models

OPEN_WINDOWS = """
CREATE OR REPLACE FUNCTION ledger_open_windows(p_budgets bigint[], p_now timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    budget record;
    starts timestamptz;
    made bigint;
BEGIN
    -- Alone: no admission and no settlement may pass between the sum and the window.
    PERFORM pg_advisory_xact_lock(1734437239);
    FOR budget IN
        SELECT * FROM providers_budget WHERE id = ANY (p_budgets) ORDER BY id
    LOOP
        starts := ledger_window_start(budget.period, budget.time_zone, p_now);
        INSERT INTO providers_budgetwindow
            (budget_id, starts_at, ends_at, opening_nano, spent_nano, held_nano)
        SELECT budget.id, starts, ledger_window_end(budget.period, budget.time_zone, p_now),
            coalesce(sum(e.cost_nano), 0)::bigint, coalesce(sum(e.cost_nano), 0)::bigint, 0
        FROM providers_entry e JOIN providers_reservation r ON r.id = e.reservation_id
        WHERE e.at >= starts AND r.created_at >= starts
            AND (budget.team_id IS NULL OR e.team_id = budget.team_id)
            AND (budget.user_id IS NULL OR e.user_id = budget.user_id)
            AND (budget.key_id IS NULL OR e.key_id = budget.key_id)
            AND (budget.tag = '' OR e.tag = budget.tag)
        ON CONFLICT (budget_id, starts_at) DO NOTHING
        RETURNING id INTO made;
        CONTINUE WHEN made IS NULL;
        WITH joined AS (
            UPDATE providers_reservation r SET windows = r.windows || made
            WHERE r.settled_at IS NULL AND r.created_at >= starts
                AND (budget.team_id IS NULL OR r.team_id = budget.team_id)
                AND (budget.user_id IS NULL OR r.user_id = budget.user_id)
                AND (budget.key_id IS NULL OR r.key_id = budget.key_id)
                AND (budget.tag = '' OR r.tag = budget.tag)
            RETURNING r.held_nano
        )
        UPDATE providers_budgetwindow w
        SET held_nano = (SELECT coalesce(sum(held_nano), 0)::bigint FROM joined)
        WHERE w.id = made;
    END LOOP;
END
$$;
"""

RESERVE = """
DROP FUNCTION ledger_reserve;
CREATE FUNCTION ledger_reserve(
    p_ids uuid[], p_sources text[], p_users bigint[], p_teams bigint[], p_keys bigint[],
    p_tags text[], p_routes text[], p_worst bigint[], p_ttls double precision[], p_now timestamptz
) RETURNS TABLE (item int, verdict text, is_booked boolean, budget_id bigint, room_nano bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    w_ids bigint[]; w_budgets bigint[]; w_scopes text[]; w_owners bigint[]; w_tags text[];
    w_rooms bigint[]; w_adds bigint[];
    missing bigint[];
    caller record;
    place int; tightest int; worst bigint;
    ok_items int[] := '{}'; ok_windows text[] := '{}';
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1734437239);

    SELECT array_agg(w.id), array_agg(b.id) FILTER (WHERE w.id IS NULL)
    INTO w_ids, missing
    FROM providers_budget b
    LEFT JOIN providers_budgetwindow w
        ON w.budget_id = b.id AND w.starts_at = ledger_window_start(b.period, b.time_zone, p_now)
    WHERE b.scope = 'org' OR b.team_id = ANY (p_teams) OR b.user_id = ANY (p_users)
        OR b.key_id = ANY (p_keys) OR (b.scope = 'tag' AND b.tag = ANY (p_tags));
    IF missing IS NOT NULL THEN
        RETURN QUERY SELECT 0, 'window', NULL::boolean, m, NULL::bigint FROM unnest(missing) m;
        RETURN;
    END IF;

    SELECT array_agg(s.id), array_agg(s.budget_id), array_agg(s.scope), array_agg(s.owner),
        array_agg(s.tag), array_agg(s.room), array_agg(0::bigint)
    INTO w_ids, w_budgets, w_scopes, w_owners, w_tags, w_rooms, w_adds
    FROM (
        SELECT w.id, w.budget_id, b.scope, coalesce(b.team_id, b.user_id, b.key_id) AS owner, b.tag,
            CASE WHEN b.is_hard THEN b.limit_nano - w.spent_nano - w.held_nano END AS room
        FROM providers_budgetwindow w JOIN providers_budget b ON b.id = w.budget_id
        WHERE w.id = ANY (w_ids) ORDER BY w.id FOR UPDATE OF w
    ) s;

    -- Greedy in order of arrival: who does not fit takes no room from who comes later.
    FOR caller IN
        SELECT i.n::int AS n,
            coalesce(array_agg(w.pos::int) FILTER (WHERE w.pos IS NOT NULL), '{}') AS places,
            coalesce(array_agg(w.id) FILTER (WHERE w.pos IS NOT NULL), '{}')::text AS windows
        FROM unnest(p_users, p_teams, p_keys, p_tags) WITH ORDINALITY
            i(user_id, team_id, key_id, tag, n)
        LEFT JOIN unnest(w_ids, w_scopes, w_owners, w_tags) WITH ORDINALITY w(id, scope, owner, tag, pos)
            ON w.scope = 'org' OR w.owner = CASE w.scope
                WHEN 'team' THEN i.team_id WHEN 'user' THEN i.user_id WHEN 'key' THEN i.key_id END
            OR (w.scope = 'tag' AND w.tag = i.tag)
        GROUP BY i.n ORDER BY i.n
    LOOP
        worst := p_worst[caller.n];
        tightest := NULL;
        FOREACH place IN ARRAY caller.places LOOP
            IF w_rooms[place] IS NOT NULL
                AND (worst IS NULL OR (worst > 0 AND w_rooms[place] < worst))
                AND (tightest IS NULL OR w_rooms[place] < w_rooms[tightest])
            THEN tightest := place; END IF;
        END LOOP;
        IF tightest IS NULL THEN
            FOREACH place IN ARRAY caller.places LOOP
                w_rooms[place] := w_rooms[place] - worst;
                w_adds[place] := w_adds[place] + coalesce(worst, 0);
            END LOOP;
            ok_items := ok_items || caller.n;
            ok_windows := ok_windows || caller.windows;
            item := caller.n; verdict := 'admitted'; is_booked := cardinality(caller.places) > 0;
            budget_id := NULL; room_nano := NULL;
        ELSE
            item := caller.n; verdict := 'refused'; is_booked := false;
            budget_id := w_budgets[tightest]; room_nano := w_rooms[tightest];
        END IF;
        RETURN NEXT;
    END LOOP;

    INSERT INTO providers_reservation
        (id, source, user_id, team_id, key_id, tag, route, windows, held_nano, created_at, expires_at)
    SELECT p_ids[o.i], p_sources[o.i], p_users[o.i], p_teams[o.i], p_keys[o.i], p_tags[o.i],
        p_routes[o.i], o.windows::bigint[], p_worst[o.i], p_now, p_now + p_ttls[o.i] * interval '1 second'
    FROM unnest(ok_items, ok_windows) o(i, windows);

    UPDATE providers_budgetwindow w SET held_nano = w.held_nano + a.added
    FROM unnest(w_ids, w_adds) a(id, added)
    WHERE w.id = a.id AND a.added > 0;
END
$$;
"""

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
        reservation_id, source, user_id, team_id, key_id, tag, route,
        attempt, at, provider, model, status, error_code, http_status, upstream_request_id,
        ttft_ms, duration_ms, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
        reasoning_tokens, cache_write_1h_tokens, input_audio_tokens, output_audio_tokens,
        web_searches, server_tool_calls, estimated_figures, is_share, is_estimated,
        is_unconfirmed, cost_nano, price_version
    )
    SELECT r.id, r.source, r.user_id, r.team_id, r.key_id, r.tag, r.route,
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

CREATE OR REPLACE FUNCTION ledger_expire(p_now timestamptz, p_most int) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
    open_ids uuid[];
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1734437239);
    SELECT array_agg(s.id) INTO open_ids FROM (
        SELECT id FROM providers_reservation
        WHERE settled_at IS NULL AND expires_at <= p_now
        ORDER BY id LIMIT p_most FOR UPDATE SKIP LOCKED
    ) s;
    IF open_ids IS NULL THEN RETURN 0; END IF;
    INSERT INTO providers_entry (
        reservation_id, source, user_id, team_id, key_id, tag, route, attempt, at, provider, model,
        status, error_code, upstream_request_id, is_estimated, is_unconfirmed, cost_nano,
        price_version
    )
    SELECT id, source, user_id, team_id, key_id, tag, route, 0, created_at, '', '',
        'expired', '', '', true, true, held_nano, ''
    FROM providers_reservation WHERE id = ANY (open_ids);
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
            tag text, route text, attempt smallint, at timestamptz, provider text, model text, status text,
            input_tokens int, output_tokens int, cache_read_tokens int, cache_write_tokens int,
            reasoning_tokens int, cache_write_1h_tokens int, input_audio_tokens int,
            output_audio_tokens int, web_searches int, server_tool_calls int,
            estimated_figures text[], is_estimated boolean, saved_nano bigint, price_version text
        )
    ), made AS (
        INSERT INTO providers_reservation (id, source, user_id, team_id, key_id, tag, route, windows,
            held_nano, created_at, expires_at, settled_at)
        SELECT reservation, source, user_id, team_id, key_id, tag, route, '{}', 0, at, at, p_now
        FROM hits ON CONFLICT (id) DO NOTHING RETURNING id
    )
    INSERT INTO providers_entry (
        reservation_id, source, user_id, team_id, key_id, tag, route, attempt, at, provider, model,
        status, error_code, upstream_request_id, input_tokens, output_tokens, cache_read_tokens,
        cache_write_tokens, reasoning_tokens, cache_write_1h_tokens, input_audio_tokens,
        output_audio_tokens, web_searches, server_tool_calls, estimated_figures, is_estimated,
        is_unconfirmed, cost_nano, price_version, is_cached, saved_nano
    )
    SELECT h.reservation, h.source, h.user_id, h.team_id, h.key_id, h.tag, h.route, h.attempt, h.at,
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

CORRECT = """
CREATE OR REPLACE FUNCTION ledger_correct(
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
        reservation_id, source, user_id, team_id, key_id, tag, route, attempt, at, provider, model,
        status, error_code, upstream_request_id, is_estimated, is_unconfirmed, cost_nano,
        price_version, reason, actor
    )
    SELECT hold.id, hold.source, hold.user_id, hold.team_id, hold.key_id, hold.tag, hold.route,
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
        AND (b.tag = '' OR b.tag = hold.tag)
    ));
    RETURN QUERY SELECT 'booked', known.cost;
END
$$;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("providers", "0016_running_processes"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        *(
            migrations.AddField(
                model_name=model,
                name="tag",
                field=models.CharField(blank=True, db_default="", default="", max_length=64),
            )
            for model in ("budget", "entry", "reservation", "virtualkey")
        ),
        migrations.AlterField(
            model_name="budget",
            name="scope",
            field=models.CharField(
                choices=[
                    ("org", "Organisation"),
                    ("team", "Team"),
                    ("user", "User"),
                    ("key", "Virtual key"),
                    ("tag", "Tag"),
                ],
                max_length=8,
            ),
        ),
        migrations.RemoveConstraint(model_name="budget", name="one_budget_a_scope_and_period"),
        migrations.RemoveConstraint(model_name="budget", name="budget_names_its_scope"),
        migrations.AddConstraint(
            model_name="budget",
            constraint=models.UniqueConstraint(
                fields=("scope", "team", "user", "key", "tag", "period"),
                name="one_budget_a_scope_and_period",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="budget",
            constraint=models.CheckConstraint(
                condition=(
                    models.Q(scope="org", team=None, user=None, key=None, tag="")
                    | models.Q(scope="team", team__isnull=False, user=None, key=None, tag="")
                    | models.Q(scope="user", team=None, user__isnull=False, key=None, tag="")
                    | models.Q(scope="key", team=None, user=None, key__isnull=False, tag="")
                    | (models.Q(scope="tag", team=None, user=None, key=None) & ~models.Q(tag=""))
                ),
                name="budget_names_its_scope",
            ),
        ),
        *(
            migrations.RunSQL(part, migrations.RunSQL.noop)
            for part in (OPEN_WINDOWS, RESERVE, SETTLE, BOOK_HITS, CORRECT)
        ),
    ]
