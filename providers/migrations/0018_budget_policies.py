"""Policies of budgets: a start day, a cheaper route at the limit, alerts and where they go."""

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import providers.models.spending


WINDOWS = """
DROP FUNCTION ledger_window_start, ledger_window_end;

CREATE FUNCTION ledger_window_day(p_period text, p_starts_on int, p_local timestamp)
RETURNS timestamp LANGUAGE sql IMMUTABLE AS $$
    -- `p_starts_on`: of a week its day from Monday, 1 to 7; of a month 1 to 28; else 1.
    SELECT date_trunc(p_period, p_local - make_interval(days => p_starts_on - 1))
        + make_interval(days => p_starts_on - 1)
$$;

CREATE FUNCTION ledger_window_start(
    p_period text, p_zone text, p_starts_on int, p_at timestamptz
) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN p_period = 'total' THEN to_timestamp(0)
        ELSE ledger_first_instant(
            ledger_window_day(p_period, p_starts_on, p_at AT TIME ZONE p_zone), p_zone
        ) END
$$;

CREATE FUNCTION ledger_window_end(
    p_period text, p_zone text, p_starts_on int, p_at timestamptz
) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN p_period = 'total' THEN NULL
        ELSE ledger_first_instant(
            -- By days from the month's first: a month after 31 January is none.
            date_trunc(p_period, (p_at AT TIME ZONE p_zone) - make_interval(days => p_starts_on - 1))
                + ('1 ' || p_period)::interval + make_interval(days => p_starts_on - 1),
            p_zone
        ) END
$$;
"""

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
        starts := ledger_window_start(
            budget.period, budget.time_zone, budget.starts_on, p_now
        );
        INSERT INTO providers_budgetwindow
            (budget_id, starts_at, ends_at, opening_nano, spent_nano, held_nano)
        SELECT budget.id, starts, ledger_window_end(
                budget.period, budget.time_zone, budget.starts_on, p_now
            ),
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
    p_tags text[], p_routes text[], p_worst bigint[], p_degraded boolean[],
    p_ttls double precision[], p_now timestamptz
) RETURNS TABLE (item int, verdict text, is_booked boolean, budget_id bigint, room_nano bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    w_ids bigint[]; w_budgets bigint[]; w_scopes text[]; w_owners bigint[]; w_tags text[];
    w_degrades boolean[];
    w_rooms bigint[]; w_adds bigint[];
    missing bigint[];
    caller record;
    place int; tightest int; worst bigint; is_degraded boolean;
    ok_items int[] := '{}'; ok_windows text[] := '{}';
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1734437239);

    SELECT array_agg(w.id), array_agg(b.id) FILTER (WHERE w.id IS NULL)
    INTO w_ids, missing
    FROM providers_budget b
    LEFT JOIN providers_budgetwindow w
        ON w.budget_id = b.id
        AND w.starts_at = ledger_window_start(b.period, b.time_zone, b.starts_on, p_now)
    WHERE b.scope = 'org' OR b.team_id = ANY (p_teams) OR b.user_id = ANY (p_users)
        OR b.key_id = ANY (p_keys) OR (b.scope = 'tag' AND b.tag = ANY (p_tags));
    IF missing IS NOT NULL THEN
        RETURN QUERY SELECT 0, 'window', NULL::boolean, m, NULL::bigint FROM unnest(missing) m;
        RETURN;
    END IF;

    SELECT array_agg(s.id), array_agg(s.budget_id), array_agg(s.scope), array_agg(s.owner),
        array_agg(s.tag), array_agg(s.degrades), array_agg(s.room), array_agg(0::bigint)
    INTO w_ids, w_budgets, w_scopes, w_owners, w_tags, w_degrades, w_rooms, w_adds
    FROM (
        SELECT w.id, w.budget_id, b.scope, coalesce(b.team_id, b.user_id, b.key_id) AS owner, b.tag,
            b.degrade_to <> '' AS degrades,
            CASE WHEN b.is_hard OR b.degrade_to <> '' THEN b.limit_nano - w.spent_nano - w.held_nano END AS room
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
        is_degraded := p_degraded[caller.n];
        tightest := NULL;
        FOREACH place IN ARRAY caller.places LOOP
            IF w_rooms[place] IS NOT NULL
                AND (worst IS NULL OR (worst > 0 AND w_rooms[place] < worst))
                -- Served by the cheaper route already, it is only counted where that was asked.
                AND NOT (is_degraded AND w_degrades[place])
                -- The cheaper route has its chance before a hard budget says no.
                AND (tightest IS NULL OR w_degrades[place] > w_degrades[tightest] OR (
                    w_degrades[place] = w_degrades[tightest]
                    AND w_rooms[place] < w_rooms[tightest]))
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
            item := caller.n; verdict := CASE WHEN w_degrades[tightest] THEN 'degrade' ELSE 'refused' END;
            is_booked := false;
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


class Migration(migrations.Migration):
    dependencies = [
        ("providers", "0017_tags"),
    ]

    operations = [
        migrations.CreateModel(
            name="AlertMessage",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "channel",
                    models.CharField(
                        choices=[("email", "E-mail"), ("webhook", "Webhook")], max_length=8
                    ),
                ),
                ("recipient", models.CharField(blank=True, max_length=254)),
                ("due_at", models.DateTimeField(default=django.utils.timezone.now, null=True)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("sent_at", models.DateTimeField(null=True)),
                ("fault", models.CharField(blank=True, max_length=300)),
            ],
        ),
        migrations.CreateModel(
            name="BudgetAlert",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("threshold", models.PositiveSmallIntegerField()),
                ("spent_nano", models.BigIntegerField()),
                ("limit_nano", models.BigIntegerField()),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.AddField(
            model_name="budget",
            name="degrade_to",
            field=models.CharField(blank=True, db_default="", default="", max_length=120),
        ),
        migrations.AddField(
            model_name="budget",
            name="starts_on",
            field=models.PositiveSmallIntegerField(db_default=1, default=1),
        ),
        migrations.AddField(
            model_name="budget",
            name="thresholds",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.PositiveSmallIntegerField(),
                db_default=[50, 80, 100],
                default=providers.models.spending.default_thresholds,
                size=None,
            ),
        ),
        migrations.AddConstraint(
            model_name="budget",
            constraint=models.CheckConstraint(
                condition=models.Q(("is_hard", False), ("degrade_to", ""), _connector="OR"),
                name="one_way_at_the_limit",
            ),
        ),
        migrations.AddField(
            model_name="budgetalert",
            name="dismissed_by",
            field=models.ManyToManyField(blank=True, related_name="+", to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name="budgetalert",
            name="window",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="alerts",
                to="providers.budgetwindow",
            ),
        ),
        migrations.AddField(
            model_name="alertmessage",
            name="alert",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="messages",
                to="providers.budgetalert",
            ),
        ),
        migrations.AddIndex(
            model_name="budgetalert",
            index=models.Index(fields=["at"], name="alerts_by_time"),
        ),
        migrations.AddConstraint(
            model_name="budgetalert",
            constraint=models.UniqueConstraint(
                fields=("window", "threshold"), name="an_alert_once"
            ),
        ),
        migrations.AddIndex(
            model_name="alertmessage",
            index=models.Index(
                condition=models.Q(("due_at", None), _negated=True),
                fields=["due_at"],
                name="messages_to_send",
            ),
        ),
        migrations.AddConstraint(
            model_name="alertmessage",
            constraint=models.UniqueConstraint(
                fields=("alert", "channel", "recipient"), name="a_message_once_a_place"
            ),
        ),
        *(
            migrations.RunSQL(part, migrations.RunSQL.noop)
            for part in (WINDOWS, OPEN_WINDOWS, RESERVE)
        ),
    ]
