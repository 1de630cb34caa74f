"""The ledger's statements, as functions over arrays: one round trip, one transaction a batch.

Order of locks, the same in every function: the advisory lock (shared; exclusive while a window is
opened), reservations by id, windows by id. So no two of them can wait for each other in a ring.
"""

from django.db import migrations

# Spells "gaiw"; every function below takes it, shared.
LOCK = 1734437239

WINDOWS = """
CREATE FUNCTION ledger_first_instant(p_local timestamp, p_zone text) RETURNS timestamptz
LANGUAGE sql STABLE AS $$
    -- Where clocks go back over midnight, Postgres takes the second of the two instants.
    SELECT CASE
        WHEN ((p_local AT TIME ZONE p_zone) - interval '1 hour') AT TIME ZONE p_zone = p_local
        THEN (p_local AT TIME ZONE p_zone) - interval '1 hour'
        ELSE p_local AT TIME ZONE p_zone
    END
$$;

CREATE FUNCTION ledger_window_start(p_period text, p_zone text, p_at timestamptz)
RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN p_period = 'total' THEN to_timestamp(0)
        ELSE ledger_first_instant(date_trunc(p_period, p_at AT TIME ZONE p_zone), p_zone) END
$$;

CREATE FUNCTION ledger_window_end(p_period text, p_zone text, p_at timestamptz)
RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN p_period = 'total' THEN NULL
        ELSE ledger_first_instant(
            date_trunc(p_period, p_at AT TIME ZONE p_zone) + ('1 ' || p_period)::interval, p_zone
        ) END
$$;

CREATE FUNCTION ledger_open_windows(p_budgets bigint[], p_now timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    budget record;
    starts timestamptz;
    made bigint;
BEGIN
    -- Alone: no admission and no settlement may pass between the sum and the window.
    PERFORM pg_advisory_xact_lock(%(lock)s);
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
        ON CONFLICT (budget_id, starts_at) DO NOTHING
        RETURNING id INTO made;
        CONTINUE WHEN made IS NULL;
        WITH joined AS (
            UPDATE providers_reservation r SET windows = r.windows || made
            WHERE r.settled_at IS NULL AND r.created_at >= starts
                AND (budget.team_id IS NULL OR r.team_id = budget.team_id)
                AND (budget.user_id IS NULL OR r.user_id = budget.user_id)
                AND (budget.key_id IS NULL OR r.key_id = budget.key_id)
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
CREATE FUNCTION ledger_reserve(
    p_ids uuid[], p_sources text[], p_users bigint[], p_teams bigint[], p_keys bigint[],
    p_routes text[], p_worst bigint[], p_ttls double precision[], p_now timestamptz
) RETURNS TABLE (item int, verdict text, is_booked boolean, budget_id bigint, room_nano bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    w_ids bigint[]; w_budgets bigint[]; w_scopes text[]; w_owners bigint[];
    w_rooms bigint[]; w_adds bigint[];
    missing bigint[];
    caller record;
    place int; tightest int; worst bigint;
    ok_items int[] := '{}'; ok_windows text[] := '{}';
BEGIN
    PERFORM pg_advisory_xact_lock_shared(%(lock)s);

    SELECT array_agg(w.id), array_agg(b.id) FILTER (WHERE w.id IS NULL)
    INTO w_ids, missing
    FROM providers_budget b
    LEFT JOIN providers_budgetwindow w
        ON w.budget_id = b.id AND w.starts_at = ledger_window_start(b.period, b.time_zone, p_now)
    WHERE b.scope = 'org' OR b.team_id = ANY (p_teams) OR b.user_id = ANY (p_users)
        OR b.key_id = ANY (p_keys);
    IF missing IS NOT NULL THEN
        RETURN QUERY SELECT 0, 'window', NULL::boolean, m, NULL::bigint FROM unnest(missing) m;
        RETURN;
    END IF;

    SELECT array_agg(s.id), array_agg(s.budget_id), array_agg(s.scope), array_agg(s.owner),
        array_agg(s.room), array_agg(0::bigint)
    INTO w_ids, w_budgets, w_scopes, w_owners, w_rooms, w_adds
    FROM (
        SELECT w.id, w.budget_id, b.scope, coalesce(b.team_id, b.user_id, b.key_id) AS owner,
            CASE WHEN b.is_hard THEN b.limit_nano - w.spent_nano - w.held_nano END AS room
        FROM providers_budgetwindow w JOIN providers_budget b ON b.id = w.budget_id
        WHERE w.id = ANY (w_ids) ORDER BY w.id FOR UPDATE OF w
    ) s;

    -- Greedy in order of arrival: who does not fit takes no room from who comes later.
    FOR caller IN
        SELECT i.n::int AS n,
            coalesce(array_agg(w.pos::int) FILTER (WHERE w.pos IS NOT NULL), '{}') AS places,
            coalesce(array_agg(w.id) FILTER (WHERE w.pos IS NOT NULL), '{}')::text AS windows
        FROM unnest(p_users, p_teams, p_keys) WITH ORDINALITY i(user_id, team_id, key_id, n)
        LEFT JOIN unnest(w_ids, w_scopes, w_owners) WITH ORDINALITY w(id, scope, owner, pos)
            ON w.scope = 'org' OR w.owner = CASE w.scope
                WHEN 'team' THEN i.team_id WHEN 'user' THEN i.user_id ELSE i.key_id END
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
        (id, source, user_id, team_id, key_id, route, windows, held_nano, created_at, expires_at)
    SELECT p_ids[o.i], p_sources[o.i], p_users[o.i], p_teams[o.i], p_keys[o.i], p_routes[o.i],
        o.windows::bigint[], p_worst[o.i], p_now, p_now + p_ttls[o.i] * interval '1 second'
    FROM unnest(ok_items, ok_windows) o(i, windows);

    UPDATE providers_budgetwindow w SET held_nano = w.held_nano + a.added
    FROM unnest(w_ids, w_adds) a(id, added)
    WHERE w.id = a.id AND a.added > 0;
END
$$;

CREATE FUNCTION ledger_top_up(p_id uuid, p_extra bigint)
RETURNS TABLE (verdict text, budget_id bigint, room_nano bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    hold record;
    tight record;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(%(lock)s);
    SELECT r.windows, r.held_nano INTO hold FROM providers_reservation r
    WHERE r.id = p_id AND r.settled_at IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'closed', NULL::bigint, NULL::bigint;
        RETURN;
    END IF;
    -- Materialized: the comparison must see the locked rows, and every row must be locked.
    WITH locked AS MATERIALIZED (
        SELECT w.budget_id,
            CASE WHEN b.is_hard THEN b.limit_nano - w.spent_nano - w.held_nano END AS room
        FROM providers_budgetwindow w JOIN providers_budget b ON b.id = w.budget_id
        WHERE w.id = ANY (hold.windows) ORDER BY w.id FOR UPDATE OF w
    )
    SELECT l.budget_id, l.room INTO tight FROM locked l
    WHERE p_extra > 0 AND l.room < p_extra ORDER BY l.room LIMIT 1;
    IF FOUND THEN
        RETURN QUERY SELECT 'refused', tight.budget_id, tight.room;
        RETURN;
    END IF;
    UPDATE providers_reservation r SET held_nano = coalesce(r.held_nano, 0) + p_extra
    WHERE r.id = p_id;
    UPDATE providers_budgetwindow w SET held_nano = w.held_nano + p_extra
    WHERE w.id = ANY (hold.windows);
    RETURN QUERY SELECT 'admitted', NULL::bigint, NULL::bigint;
END
$$;
"""

SETTLE = """
CREATE FUNCTION ledger_close(p_ids uuid[], p_now timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    -- The caller holds the rows of p_ids, open, with their entries written.
    PERFORM w.id FROM providers_budgetwindow w
    WHERE w.id IN (
        SELECT unnest(r.windows) FROM providers_reservation r WHERE r.id = ANY (p_ids)
    )
    ORDER BY w.id FOR UPDATE;
    UPDATE providers_budgetwindow w
    SET spent_nano = w.spent_nano + c.cost, held_nano = w.held_nano - c.held
    FROM (
        SELECT u.id, sum(coalesce(r.held_nano, 0))::bigint AS held,
            sum(coalesce(e.cost, 0))::bigint AS cost
        FROM providers_reservation r
        CROSS JOIN LATERAL unnest(r.windows) u(id)
        LEFT JOIN LATERAL (
            SELECT sum(cost_nano) AS cost FROM providers_entry WHERE reservation_id = r.id
        ) e ON true
        WHERE r.id = ANY (p_ids) GROUP BY u.id
    ) c
    WHERE w.id = c.id;
    UPDATE providers_reservation SET settled_at = p_now WHERE id = ANY (p_ids);
END
$$;

CREATE FUNCTION ledger_settle(p_ids uuid[], p_entries json, p_now timestamptz) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
    open_ids uuid[];
BEGIN
    PERFORM pg_advisory_xact_lock_shared(%(lock)s);
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
        reasoning_tokens, is_estimated, is_unconfirmed, cost_nano, price_version
    )
    SELECT r.id, r.source, r.user_id, r.team_id, r.key_id, r.route,
        e.attempt, e.at, e.provider, e.model, e.status, e.error_code, e.http_status,
        e.upstream_request_id, e.ttft_ms, e.duration_ms, e.input_tokens, e.output_tokens,
        e.cache_read_tokens, e.cache_write_tokens, e.reasoning_tokens, e.is_estimated,
        e.is_unconfirmed, e.cost_nano, e.price_version
    FROM json_to_recordset(p_entries) AS e(
        reservation uuid, attempt smallint, at timestamptz, provider text, model text, status text,
        error_code text, http_status smallint, upstream_request_id text, ttft_ms int,
        duration_ms int, input_tokens int, output_tokens int, cache_read_tokens int,
        cache_write_tokens int, reasoning_tokens int, is_estimated boolean,
        is_unconfirmed boolean, cost_nano bigint, price_version text
    ) JOIN providers_reservation r ON r.id = e.reservation
    WHERE r.id = ANY (open_ids);
    PERFORM ledger_close(open_ids, p_now);
    RETURN cardinality(open_ids);
END
$$;

CREATE FUNCTION ledger_expire(p_now timestamptz, p_most int) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
    open_ids uuid[];
BEGIN
    PERFORM pg_advisory_xact_lock_shared(%(lock)s);
    SELECT array_agg(s.id) INTO open_ids FROM (
        SELECT id FROM providers_reservation
        WHERE settled_at IS NULL AND expires_at <= p_now
        ORDER BY id LIMIT p_most FOR UPDATE SKIP LOCKED
    ) s;
    IF open_ids IS NULL THEN RETURN 0; END IF;
    INSERT INTO providers_entry (
        reservation_id, source, user_id, team_id, key_id, route, attempt, at, provider, model,
        status, error_code, upstream_request_id, is_estimated, is_unconfirmed, cost_nano,
        price_version
    )
    SELECT id, source, user_id, team_id, key_id, route, 0, created_at, '', '',
        'expired', '', '', true, true, held_nano, ''
    FROM providers_reservation WHERE id = ANY (open_ids);
    PERFORM ledger_close(open_ids, p_now);
    RETURN cardinality(open_ids);
END
$$;
"""

DROP = """
DROP FUNCTION ledger_expire, ledger_settle, ledger_close, ledger_top_up, ledger_reserve,
    ledger_open_windows, ledger_window_end, ledger_window_start, ledger_first_instant;
"""


class Migration(migrations.Migration):
    dependencies = [("providers", "0001_initial")]

    operations = [
        migrations.RunSQL(
            [part.replace("%(lock)s", str(LOCK)) for part in (WINDOWS, RESERVE, SETTLE)], DROP
        )
    ]
