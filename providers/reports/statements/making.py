"""Makes the statements of a month that is over: once each, numbered without a gap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from providers import audit
from providers.ledger.money import usd
from providers.models import Statement, Team, User
from providers.reports.periods import midnight, reporting_zone

SETTLED_AFTER = timedelta(days=1)
"""How long after a month its statements make themselves: what began in it has ended by then."""

_LOCK = 0x6761695F737461  # "gai_sta"
_TEAMS = """
SELECT DISTINCT g.team_id FROM providers_spendquarter q
JOIN providers_spendgroup g ON g.id = q.group_id
WHERE q.quarter >= %(start)s AND q.quarter < %(end)s AND (g.team_id IS NOT NULL OR q.cost_nano <> 0)
"""
_STATEMENT = """
INSERT INTO providers_statement (
    number, team_id, team_name, organisation_name, month, time_zone, made_at, made_by, cost_nano
)
SELECT coalesce((SELECT max(number) FROM providers_statement), 0) + 1, %(team)s, %(team_name)s,
    coalesce((SELECT name FROM providers_organisation), ''), %(month)s, %(zone)s,
    transaction_timestamp(), %(by)s,
    coalesce((SELECT sum(cost_nano) FROM statement_draft), 0)
RETURNING id
"""
_FIGURES = ("requests", "attempts", "unpriced", "input_tokens", "output_tokens", "cost_nano")
_SUMS = """
    count(*) FILTER (WHERE e.attempt <= 1) AS requests,
    count(*) FILTER (WHERE NOT e.is_cached) AS attempts,
    count(*) FILTER (WHERE e.cost_nano IS NULL) AS unpriced,
    coalesce(sum(e.input_tokens) FILTER (WHERE NOT e.is_cached), 0) AS input_tokens,
    coalesce(sum(e.output_tokens) FILTER (WHERE NOT e.is_cached), 0) AS output_tokens,
    coalesce(sum(e.cost_nano), 0)::bigint AS cost_nano
"""
# What the ledger says of every month that has a statement, and of this one, less what was stated.
_DRAFT = f"""
CREATE TEMPORARY TABLE statement_draft ON COMMIT DROP AS
WITH months AS (
    SELECT month, ledger_first_instant(month, time_zone) AS starts,
        ledger_first_instant((month + interval '1 month')::date, time_zone) AS ends
    FROM providers_statement WHERE team_id IS NOT DISTINCT FROM %(team)s AND month < %(month)s
    UNION ALL
    SELECT %(month)s::date, %(start)s, %(end)s
), booked AS (
    SELECT m.month, e.provider, e.model, e.price_version, {_SUMS}
    FROM months m JOIN providers_entry e ON e.at >= m.starts AND e.at < m.ends
        AND e.team_id IS NOT DISTINCT FROM %(team)s AND e.status <> 'correction'
    GROUP BY 1, 2, 3, 4
), stated AS (
    SELECT l.month, l.provider, l.model, l.price_version,
        {", ".join(f"sum(l.{name}) AS {name}" for name in _FIGURES)}
    FROM providers_statementline l JOIN providers_statement s ON s.id = l.statement_id
    WHERE l.kind = 'usage' AND s.team_id IS NOT DISTINCT FROM %(team)s
    GROUP BY 1, 2, 3, 4
)
SELECT 'usage' AS kind, b.month, b.provider, b.model, b.price_version,
    {", ".join(f"(b.{name} - coalesce(s.{name}, 0))::bigint AS {name}" for name in _FIGURES)},
    NULL::uuid AS request_id, '' AS reason, '' AS actor, NULL::timestamptz AS at
FROM booked b LEFT JOIN stated s USING (month, provider, model, price_version)
WHERE s.month IS NULL
    OR ({", ".join(f"b.{name}" for name in _FIGURES)})
        IS DISTINCT FROM ({", ".join(f"s.{name}::bigint" for name in _FIGURES)})
UNION ALL
SELECT 'correction', %(month)s::date, e.provider, e.model, e.price_version, 0, 0, 0, 0, 0,
    coalesce(e.cost_nano, 0), e.reservation_id, e.reason, e.actor, e.at
FROM providers_entry e
WHERE e.at >= %(start)s AND e.at < %(end)s AND e.status = 'correction'
    AND e.team_id IS NOT DISTINCT FROM %(team)s
"""  # noqa: S608  constants
_COLUMNS = (
    "kind, month, provider, model, price_version, requests, attempts, unpriced, input_tokens,"
    " output_tokens, cost_nano, request_id, reason, actor"
)
_LINES = f"""
INSERT INTO providers_statementline (statement_id, {_COLUMNS})
SELECT %(statement)s, {_COLUMNS} FROM statement_draft
ORDER BY kind DESC, month DESC, cost_nano DESC, at, provider, model, price_version
"""  # noqa: S608  constants


class CannotState(ValueError):
    """`field` is what to change: month or team."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


@dataclass(frozen=True, slots=True)
class Made:
    """`is_new`: just now; else it stood already and nothing was changed."""

    statement: Statement
    is_new: bool


def make(month: date, team: Team | None = None, by: User | None = None) -> list[Made]:
    """State the month of every team that asked for anything in it, or of one. Safe to repeat.

    `month` is its first day. `by` None: a command or a task. Raises CannotState.
    """
    zone = reporting_zone()
    start, end = midnight(month, zone), midnight(_next(month), zone)
    if end > timezone.now():
        raise CannotState("month", f"{month:%B %Y} is not over yet in {zone.key}.")
    teams = [team.pk] if team is not None else _teams(start, end)
    return [_state(month, zone, team_id, by) for team_id in teams]


def make_last(now: datetime) -> list[Made]:
    """State the month before this one, a day after it is over; what stands already is left."""
    zone = reporting_zone()
    this = now.astimezone(zone).date().replace(day=1)
    if now < midnight(this, zone) + SETTLED_AFTER:
        return []
    return make((this - timedelta(days=1)).replace(day=1))


def _state(month: date, zone: ZoneInfo, team_id: int | None, by: User | None) -> Made:
    with transaction.atomic(), connection.cursor() as cursor:
        # One at a time, or two would have the same number.
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        standing = Statement.objects.filter(Q(team_id=team_id), month=month).first()
        if standing is not None:
            return Made(standing, is_new=False)
        team = Team.objects.filter(Q(pk=team_id)).first()
        facts = {
            "team": team_id,
            "team_name": team.name if team is not None else "",
            "month": month,
            "zone": zone.key,
            "start": midnight(month, zone),
            "end": midnight(_next(month), zone),
            "by": by.email if by is not None else "this machine",
        }
        cursor.execute("DROP TABLE IF EXISTS statement_draft")
        cursor.execute(_DRAFT, facts)
        cursor.execute(_STATEMENT, facts)
        (id,) = cursor.fetchone()
        cursor.execute(_LINES, {"statement": id})
        made = Statement.objects.get(pk=id)
        told = {"team": made.team_name, "month": f"{month:%Y-%m}", "cost": usd(made.cost_nano)}
        audit.write(by, "statement.made", f"statement {made.number}", after=told)
    return Made(made, is_new=True)


def _teams(start: datetime, end: datetime) -> Sequence[int | None]:
    with connection.cursor() as cursor:
        cursor.execute(_TEAMS, {"start": start, "end": end})
        found: list[int | None] = [team_id for (team_id,) in cursor.fetchall()]
    return sorted(found, key=lambda team_id: (team_id is None, team_id))


def _next(month: date) -> date:
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)
