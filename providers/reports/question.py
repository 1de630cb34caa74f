"""What is asked of the sums: a span, whose, and only which; and how that reads in SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone

from providers.models import Organisation

NOTHING = "-"
"""The value of a filter that asks for what has none, such as requests without a tag."""


class Group(StrEnum):
    TEAM = "team"
    USER = "user"
    KEY = "key"
    PROVIDER = "provider"
    MODEL = "model"
    ROUTE = "route"
    SOURCE = "source"
    TAG = "tag"

    @property
    def is_row(self) -> bool:
        """Its values are ids of rows, not names."""
        return self in {Group.TEAM, Group.USER, Group.KEY}


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


Filters = Mapping[Group, tuple[str, ...]]
"""Values of a group of which one must fit: ids for rows, else names; `-` for none."""


@dataclass(frozen=True, slots=True)
class Question:
    span: Span
    viewer: Viewer
    filters: Filters = field(default_factory=dict)

    @property
    def arguments(self) -> dict[str, Any]:
        """Name the parameters of IN_SPAN, VISIBLE and `only`."""
        return {
            "first": self.span.first,
            "last": self.span.last,
            "zone": self.span.time_zone,
            "sees_all": self.viewer.sees_all,
            "team_ids": list(self.viewer.team_ids),
            "user_id": self.viewer.user_id,
            **{f"only_{group}": _values(group, only) for group, only in self.filters.items()},
            **{f"none_{group}": NOTHING in only for group, only in self.filters.items()},
        }

    @property
    def only(self) -> str:
        """The filters as a condition on rows `e`, of entries, reservations or groups alike."""
        return "".join(f" AND {_condition(group)}" for group in self.filters)


VISIBLE = """
(%(sees_all)s OR e.team_id = ANY (%(team_ids)s::bigint[]) OR e.user_id = %(user_id)s::bigint)
"""
IN_SPAN = """
e.at >= ledger_first_instant(%(first)s::date, %(zone)s)
AND e.at < ledger_first_instant(%(last)s::date + 1, %(zone)s)
"""


def _condition(group: Group) -> str:
    if group.is_row:
        return (
            f"(e.{group}_id = ANY (%(only_{group})s::bigint[])"
            f" OR (%(none_{group})s AND e.{group}_id IS NULL))"
        )
    return f"e.{group} = ANY (%(only_{group})s::text[])"


def _values(group: Group, only: tuple[str, ...]) -> list[str] | list[int]:
    if group.is_row:
        return [int(value) for value in only if value != NOTHING]
    return ["" if value == NOTHING else value for value in only]
