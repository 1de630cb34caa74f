"""Who spent what, when: read-only, and every sum is Postgres's over the whole span."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection
from django.utils import timezone

from providers.models import Organisation


class Group(StrEnum):
    TEAM = "team"
    USER = "user"
    PROVIDER = "provider"
    MODEL = "model"
    ROUTE = "route"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whose entries may be seen: those of these teams, and one's own. By default nothing."""

    team_ids: tuple[int, ...] = ()
    user_id: int | None = None
    sees_all: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """Days from `first` to `last`, both included, of one time zone."""

    first: date
    last: date
    time_zone: str

    @classmethod
    def of_last_days(cls, days: int, now: datetime | None = None) -> Span:
        """End today, in the organisation's time zone."""
        own = Organisation.objects.values_list("time_zone", flat=True).first() or "UTC"
        today = (now or timezone.now()).astimezone(ZoneInfo(own)).date()
        return cls(today - timedelta(days=days - 1), today, own)

    @property
    def days(self) -> list[date]:
        return [self.first + timedelta(n) for n in range((self.last - self.first).days + 1)]


@dataclass(frozen=True, slots=True)
class Figures:
    """`cost_nano` is the sum of what is known; `unpriced` entries have no known cost.

    A request counts where it was tried first; `attempts` are all tries. `unconfirmed_nano` is the
    part of the cost that was booked by rule, `wasted_nano` the part of attempts that failed, were
    cut, cancelled or expired. `cache_read_tokens` are among the input tokens. `cached` requests
    were answered from our own cache: no attempt, no tokens, and `saved_nano` not spent.
    """

    cost_nano: int = 0
    requests: int = 0
    attempts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    unconfirmed_nano: int = 0
    unpriced: int = 0
    wasted_nano: int = 0
    cache_read_tokens: int = 0
    cached: int = 0
    saved_nano: int = 0


@dataclass(frozen=True, slots=True)
class GroupSpend:
    """`key` is an id or a name, as text; empty: none, such as the team of a probe."""

    key: str
    label: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class DaySpend:
    """`costs` by the key of the group, in nano-dollars; groups without an entry are missing."""

    day: date
    figures: Figures
    costs: dict[str, int]


@dataclass(frozen=True, slots=True)
class Spending:
    """Dearest group first; every day of the span. `settling` requests are not in the sums yet."""

    span: Span
    group: Group
    total: Figures
    groups: tuple[GroupSpend, ...]
    days: tuple[DaySpend, ...]
    settling: int
    as_of: datetime


_KEYS = {
    Group.TEAM: "coalesce(e.team_id::text, '')",
    Group.USER: "coalesce(e.user_id::text, '')",
    Group.PROVIDER: "e.provider",
    Group.MODEL: "e.model",
    Group.ROUTE: "e.route",
}
_LABELS = {
    Group.TEAM: "SELECT id::text, name FROM providers_team WHERE id = ANY (%s::bigint[])",
    Group.USER: "SELECT id::text, email FROM providers_user WHERE id = ANY (%s::bigint[])",
}
_NONE = {
    Group.TEAM: "No team (health probes)",
    Group.USER: "Nobody (health probes)",
    Group.PROVIDER: "Unknown (expired before it was settled)",
    Group.MODEL: "Unknown (expired before it was settled)",
    Group.ROUTE: "No route",
}
VISIBLE = """
(%(sees_all)s OR e.team_id = ANY (%(team_ids)s::bigint[]) OR e.user_id = %(user_id)s::bigint)
"""
IN_SPAN = """
e.at >= ledger_first_instant(%(first)s::date, %(zone)s)
AND e.at < ledger_first_instant(%(last)s::date + 1, %(zone)s)
"""
# Summed once into cells of a day and a group; the other sums are sums of cells.
_SUMS = f"""
WITH cells AS (
    SELECT (e.at AT TIME ZONE %(zone)s)::date AS day, {{key}} AS key, sum(e.cost_nano) AS cost,
        count(*) FILTER (WHERE e.attempt <= 1) AS requests,
        count(*) FILTER (WHERE NOT e.is_cached AND e.status <> 'correction') AS attempts,
        sum(e.input_tokens) FILTER (WHERE NOT e.is_cached) AS input,
        sum(e.output_tokens) FILTER (WHERE NOT e.is_cached) AS output,
        sum(e.cost_nano) FILTER (WHERE e.is_unconfirmed) AS unconfirmed,
        count(*) FILTER (WHERE e.cost_nano IS NULL) AS unpriced,
        sum(e.cost_nano) FILTER (WHERE e.status NOT IN ('ok', 'correction')) AS wasted,
        sum(e.cache_read_tokens) FILTER (WHERE NOT e.is_cached) AS cache_read,
        count(*) FILTER (WHERE e.is_cached) AS cached, sum(e.saved_nano) AS saved
    FROM providers_entry e WHERE {IN_SPAN} AND {VISIBLE}
    GROUP BY 1, 2
)
SELECT day, key, coalesce(sum(cost), 0), coalesce(sum(requests), 0), coalesce(sum(attempts), 0),
    coalesce(sum(input), 0), coalesce(sum(output), 0), coalesce(sum(unconfirmed), 0),
    coalesce(sum(unpriced), 0), coalesce(sum(wasted), 0), coalesce(sum(cache_read), 0),
    coalesce(sum(cached), 0), coalesce(sum(saved), 0)
FROM cells GROUP BY GROUPING SETS ((day, key), (day), (key), ())
"""  # noqa: S608  the only part filled in is one of _KEYS
_HOURS = f"""
SELECT floor(extract(epoch FROM e.at - m.midnight) / 3600)::int, {{key}},
    coalesce(sum(e.cost_nano), 0)::bigint
FROM providers_entry e, (SELECT ledger_first_instant(%(first)s::date, %(zone)s) AS midnight) m
WHERE {IN_SPAN} AND {VISIBLE}
GROUP BY 1, 2
"""  # noqa: S608  the only part filled in is one of _KEYS
_SETTLING = f"""
SELECT count(*) FROM providers_reservation e WHERE e.settled_at IS NULL AND {VISIBLE}
"""  # noqa: S608  a constant


def arguments_of(span: Span, viewer: Viewer) -> dict[str, Any]:
    """Name the parameters of IN_SPAN and VISIBLE."""
    return {
        "first": span.first,
        "last": span.last,
        "zone": span.time_zone,
        "sees_all": viewer.sees_all,
        "team_ids": list(viewer.team_ids),
        "user_id": viewer.user_id,
    }


def spend_by_day(span: Span, group: Group, viewer: Viewer) -> Spending:
    """Sum the span by day and group in one pass, so that all sums see the same entries."""
    arguments = arguments_of(span, viewer)
    with connection.cursor() as cursor:
        cursor.execute(_SUMS.format(key=_KEYS[group]), arguments)
        rows = cursor.fetchall()
        cursor.execute(_SETTLING, arguments)
        settling: int = cursor.fetchone()[0]
    total, days, groups = Figures(), dict[date, Figures](), dict[str, Figures]()
    costs: dict[date, dict[str, int]] = {}
    for day, key, *sums in rows:
        figures = Figures(*map(int, sums))
        if day is None and key is None:
            total = figures
        elif day is None:
            groups[key] = figures
        elif key is None:
            days[day] = figures
        else:
            costs.setdefault(day, {})[key] = figures.cost_nano
    return Spending(
        span,
        group,
        total,
        _labelled(group, groups),
        tuple(DaySpend(day, days.get(day, Figures()), costs.get(day, {})) for day in span.days),
        settling,
        timezone.now(),
    )


def costs_by_hour(span: Span, group: Group, viewer: Viewer) -> dict[int, dict[str, int]]:
    """Sum a short span by hours since its first instant, in nano-dollars by the group's key."""
    with connection.cursor() as cursor:
        cursor.execute(_HOURS.format(key=_KEYS[group]), arguments_of(span, viewer))
        costs: dict[int, dict[str, int]] = {}
        for hour, key, cost in cursor.fetchall():
            costs.setdefault(hour, {})[key] = cost
    return costs


def _labelled(group: Group, groups: dict[str, Figures]) -> tuple[GroupSpend, ...]:
    names: dict[str, str] = {}
    if group in _LABELS:
        with connection.cursor() as cursor:
            cursor.execute(_LABELS[group], [[int(key) for key in groups if key]])
            names = dict(cursor.fetchall())
    labelled = [
        GroupSpend(key, names.get(key) or _label_without_name(group, key), figures)
        for key, figures in groups.items()
    ]
    return tuple(sorted(labelled, key=lambda one: (-one.figures.cost_nano, one.label)))


def _label_without_name(group: Group, key: str) -> str:
    if not key:
        return _NONE[group]
    return f"Deleted {group} {key}" if group in _LABELS else key
