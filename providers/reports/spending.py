"""Who spent what, when: read-only, and every sum is Postgres's over the whole span.

Days that are over come summed; what is not yet is read from quarter hours, in the same statement.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any

from django.db import connection
from django.utils import timezone

from providers.reports.labels import labels_of
from providers.reports.question import VISIBLE, Group, Question, Span


@dataclass(frozen=True, slots=True)
class Figures:
    """The sums of the ledger (`providers.models.sums`); `cost_nano` is of what is known.

    `cache_read_tokens` are among the input tokens. `cached` requests were answered from our own
    cache: no attempt, no tokens, and `saved_nano` not spent.
    """

    cost_nano: int = 0
    requests: int = 0
    attempts: int = 0
    retried: int = 0
    wasted: int = 0
    cached: int = 0
    unpriced: int = 0
    estimated: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    input_audio_tokens: int = 0
    output_audio_tokens: int = 0
    estimated_nano: int = 0
    unconfirmed_nano: int = 0
    corrected_nano: int = 0
    wasted_nano: int = 0
    failed_nano: int = 0
    cut_nano: int = 0
    cancelled_nano: int = 0
    saved_nano: int = 0

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    @property
    def expired_nano(self) -> int:
        """Booked by rule for holds of which nobody saw the end."""
        return self.wasted_nano - self.failed_nano - self.cut_nano - self.cancelled_nano

    @property
    def nano_a_request(self) -> int | None:
        return self.cost_nano // self.requests if self.requests else None

    @property
    def is_anything(self) -> bool:
        return bool(self.requests or self.attempts or self.cost_nano)


NOTHING_SPENT = Figures()


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


_NAMES = tuple(field.name for field in fields(Figures))
_PLAIN = ", ".join(f"s.{name}" for name in _NAMES)
_SUMMED = ", ".join(f"coalesce(sum({name}), 0)" for name in _NAMES)
_ADDED = ", ".join(f"sum(p.{name}) AS {name}" for name in _NAMES)
# `{key}` and `{only}` are filled in from `key_of` and a question's conditions, which are ours.
PIECES = """
WITH asked AS (
    SELECT e.id, {key} AS key FROM providers_spendgroup e WHERE {visible} {only}
), pieces AS (
    SELECT s.day, s.group_id, {columns} FROM providers_spendday s
    WHERE s.day >= %(first)s::date AND s.day < least(%(last)s::date + 1, %(until)s::date)
    UNION ALL
    SELECT (s.quarter AT TIME ZONE %(zone)s)::date, s.group_id, {columns}
    FROM providers_spendquarter s
    WHERE s.quarter >= ledger_first_instant(
            greatest(%(first)s::date, %(until)s::date), %(zone)s)
        AND s.quarter < ledger_first_instant(%(last)s::date + 1, %(zone)s)
)
"""
# Summed once into cells of a day and a group; the other sums are sums of cells.
_SUMS = f"""{PIECES}
, cells AS (
    SELECT p.day, a.key, {_ADDED} FROM pieces p JOIN asked a ON a.id = p.group_id GROUP BY 1, 2
)
SELECT day, key, {_SUMMED} FROM cells GROUP BY GROUPING SETS ((day, key), (day), (key), ())
"""  # noqa: S608  constants
_HOURS = """
SELECT floor(extract(epoch FROM s.quarter - m.midnight) / 3600)::int, {key},
    coalesce(sum(s.cost_nano), 0)::bigint
FROM providers_spendquarter s JOIN providers_spendgroup e ON e.id = s.group_id,
    (SELECT ledger_first_instant(%(first)s::date, %(zone)s) AS midnight) m
WHERE s.quarter >= ledger_first_instant(%(first)s::date, %(zone)s)
    AND s.quarter < ledger_first_instant(%(last)s::date + 1, %(zone)s) AND {visible} {only}
GROUP BY 1, 2
"""
_FOLDED = """
SELECT (until AT TIME ZONE time_zone)::date FROM providers_spendfold WHERE time_zone = %s
"""
_SETTLING = """
SELECT count(*) FROM providers_reservation e WHERE e.settled_at IS NULL AND {visible} {only}
"""
# Nobody knows yet who will answer an open request.
_KNOWN_AT_ONCE = frozenset(Group) - {Group.PROVIDER, Group.MODEL}


def spend_by_day(asked: Question, group: Group) -> Spending:
    """Sum the span by day and group in one pass, so that all sums see the same entries."""
    total, days, groups = NOTHING_SPENT, dict[date, Figures](), dict[str, Figures]()
    costs: dict[date, dict[str, int]] = {}
    for day, key, *sums in _rows(_SUMS, asked, group):
        figures = Figures(*map(int, sums))
        if day is None and key is None:
            total = figures
        elif day is None:
            groups[key] = figures
        elif key is None:
            days[day] = figures
        else:
            costs.setdefault(day, {})[key] = figures.cost_nano
    names = labels_of(group, groups)
    found = [GroupSpend(key, names[key], figures) for key, figures in groups.items()]
    return Spending(
        asked.span,
        group,
        total,
        tuple(sorted(found, key=lambda one: (-one.figures.cost_nano, one.label))),
        tuple(
            DaySpend(day, days.get(day, NOTHING_SPENT), costs.get(day, {}))
            for day in asked.span.days
        ),
        _settling(asked),
        timezone.now(),
    )


def costs_by_hour(asked: Question, group: Group) -> dict[int, dict[str, int]]:
    """Sum a short span by hours since its first instant, in nano-dollars by the group's key."""
    costs: dict[int, dict[str, int]] = {}
    for hour, key, cost in _rows(_HOURS, asked, group):
        costs.setdefault(hour, {})[key] = cost
    return costs


def _settling(asked: Question) -> int:
    if not asked.filters.keys() <= _KNOWN_AT_ONCE:
        return 0
    ((count,),) = _rows(_SETTLING, asked, Group.TEAM)
    return int(count)


def _rows(query: str, asked: Question, group: Group) -> Iterator[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(_filled(query, asked, group), {**asked.arguments, "until": folded(asked)})
        yield from cursor.fetchall()


def folded(asked: Question) -> date:
    """Give the first day that is not summed; the first of all where none of this time zone is.

    Asked apart, so that Postgres plans with a day that it knows. Who sums days meanwhile changes
    nothing: their quarter hours stay.
    """
    with connection.cursor() as cursor:
        cursor.execute(_FOLDED, [asked.span.time_zone])
        row = cursor.fetchone()
    return date.min if row is None or row[0] is None else row[0]


def sums_sql(asked: Question, group: Group) -> str:
    """Give what `spend_by_day` asks, for who wants to see its plan."""
    return _filled(_SUMS, asked, group)


def _filled(query: str, asked: Question, group: Group) -> str:
    return query.format(key=key_of(group), visible=VISIBLE, only=asked.only, columns=_PLAIN)


def key_of(group: Group) -> str:
    return f"coalesce(e.{group}_id::text, '')" if group.is_row else f"e.{group}"
