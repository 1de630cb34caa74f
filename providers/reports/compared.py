"""A period beside the one before it, group by group, and who spends most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from django.db import connection

from providers.reports.labels import labels_of
from providers.reports.question import VISIBLE, Group, Question, Span
from providers.reports.spending import PIECES, folded, key_of

MOST_SPENDERS = 5
_SUMS = f"""{PIECES}
, halves AS (
    SELECT p.group_id,
        sum(p.cost_nano) FILTER (WHERE p.day >= %(now_first)s) AS now,
        sum(p.cost_nano) FILTER (WHERE p.day <= %(before_last)s) AS before,
        sum(p.requests) FILTER (WHERE p.day <= %(before_last)s) AS asked_before
    FROM pieces p GROUP BY 1
), told AS (
    SELECT a.key, b.user_key, b.api_key, h.*
    FROM halves h JOIN asked a ON a.id = h.group_id JOIN (
        SELECT e.id, {key_of(Group.USER)} AS user_key, {key_of(Group.KEY)} AS api_key
        FROM providers_spendgroup e
    ) b ON b.id = a.id
)
SELECT grouping(key, user_key, api_key), coalesce(key, user_key, api_key),
    coalesce(sum(now), 0)::bigint, coalesce(sum(before), 0)::bigint,
    coalesce(sum(asked_before), 0)::bigint
FROM told GROUP BY GROUPING SETS ((key), (user_key), (api_key), ())
"""  # noqa: S608  constants
_BY_GROUP, _BY_USER, _BY_KEY, _ALL = 0b011, 0b101, 0b110, 0b111
_SPENDERS = {_BY_USER: Group.USER, _BY_KEY: Group.KEY}


@dataclass(frozen=True, slots=True)
class Change:
    """Nano-dollars now and before. `is_new`: it asked for nothing at all before."""

    now_nano: int
    before_nano: int
    is_new: bool

    @property
    def share(self) -> float | None:
        """Part of what was spent before, such as 0.25 for a quarter more; None: nothing was."""
        if not self.before_nano:
            return None
        return (self.now_nano - self.before_nano) / self.before_nano


@dataclass(frozen=True, slots=True)
class Spender:
    group: Group
    key: str
    label: str
    change: Change


@dataclass(frozen=True, slots=True)
class Compared:
    """`groups` by their key; a group that only spent before is among them."""

    before: Span
    total: Change
    groups: Mapping[str, Change]
    spenders: tuple[Spender, ...]


def compare(asked: Question, before: Span, group: Group) -> Compared:
    """Read both spans in one pass; `before` ends before the question's own begins."""
    both = replace(asked, span=replace(asked.span, first=before.first))
    query = _SUMS.format(
        key=key_of(group), visible=VISIBLE, only=asked.only, columns="s.cost_nano, s.requests"
    )
    days = {"now_first": asked.span.first, "before_last": before.last, "until": folded(asked)}
    found: dict[int, dict[str, Change]] = {mask: {} for mask in (_BY_GROUP, *_SPENDERS, _ALL)}
    with connection.cursor() as cursor:
        cursor.execute(query, {**both.arguments, **days})
        for mask, key, now, earlier, requests in cursor.fetchall():
            found[mask][key] = Change(now, earlier, not requests)
    spenders = [one for mask, who in _SPENDERS.items() for one in _dearest(who, found[mask])]
    (total,) = found[_ALL].values()
    return Compared(before, total, found[_BY_GROUP], tuple(spenders))


def _dearest(group: Group, changes: Mapping[str, Change]) -> list[Spender]:
    named = {key: change for key, change in changes.items() if key and change.now_nano > 0}
    most = sorted(named, key=lambda key: (-named[key].now_nano, key))[:MOST_SPENDERS]
    labels = labels_of(group, most)
    return [Spender(group, key, labels[key], named[key]) for key in most]
