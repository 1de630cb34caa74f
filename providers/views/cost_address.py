"""The state of the cost page, all of it in the address: period, grouping, filters, order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.http import QueryDict

from providers.reports import periods
from providers.reports.labels import labels_of, noun_of
from providers.reports.periods import Period, PeriodError
from providers.reports.question import NOTHING, Filters, Group, Question, Viewer

SORTS = ("cost", "change", "requests", "each", "input", "cached", "output", "wasted", "name")
DEFAULT_SORT = "-cost"
_KEPT = ("period", "from", "to", "by", "sort")
# Ids of rows are smaller than this by far, and Postgres takes no larger ones.
_MOST_DIGITS = 18
# What somebody wants to see next who has chosen one of these.
_NEXT = {Group.TEAM: Group.USER, Group.MODEL: Group.USER}


@dataclass(frozen=True)
class Choice:
    key: str
    label: str
    url: str
    is_current: bool


@dataclass(frozen=True)
class Chip:
    """A filter in force; `url` is the page without it."""

    group: str
    label: str
    url: str


@dataclass(frozen=True)
class Address:
    """Reads one request's query. `fault` says what was wrong with its period; then the default."""

    query: QueryDict
    viewer: Viewer
    groups: tuple[Group, ...]
    period: Period
    fault: str

    @classmethod
    def read(cls, query: QueryDict, viewer: Viewer, zone: ZoneInfo, now: datetime) -> Address:
        groups = offered_to(viewer)
        try:
            return cls(query, viewer, groups, periods.chosen(query, zone=zone, now=now), "")
        except PeriodError as error:
            return cls(query, viewer, groups, periods.default(zone=zone, now=now), str(error))

    @property
    def group(self) -> Group:
        return next((one for one in self.groups if one == self.query.get("by")), self.groups[0])

    @property
    def sees_people(self) -> bool:
        """Whether anybody else's use is among what is seen."""
        return self.viewer.sees_all or bool(self.viewer.team_ids)

    @property
    def sort(self) -> tuple[str, bool]:
        """What by, and whether the largest comes first."""
        asked = self.query.get("sort", DEFAULT_SORT)
        name = asked.removeprefix("-")
        return (name, asked.startswith("-")) if name in SORTS else ("cost", True)

    @property
    def filters(self) -> Filters:
        found = {group: tuple(_valid(group, self.query.getlist(group))) for group in Group}
        return {group: values for group, values in found.items() if values}

    @property
    def question(self) -> Question:
        return Question(self.period.span, self.viewer, self.filters)

    def url(self, **changes: str | None) -> str:
        """Write the address with some values replaced; None takes one away."""
        return f"?{self._query(changes)}"

    def only(self, group: Group, key: str) -> str:
        """Write the address that shows one group of those on the page, split by the next."""
        filters = {**self.filters, group: (key or NOTHING,)}
        following = _NEXT.get(group, Group.MODEL)
        left = [one for one in self.groups if one not in filters]
        by = following if following in left else next(iter(left), group)
        return f"?{self._query({'by': by, 'sort': None}, filters)}"

    def chips(self) -> list[Chip]:
        return [
            Chip(noun_of(group), label, self._without(group, key))
            for group, keys in self.filters.items()
            for key, label in labels_of(group, keys).items()
        ]

    def choices(self, name: str, labels: Mapping[str, str], current: str) -> list[Choice]:
        return [
            Choice(key, label, self.url(**{name: key}), key == current)
            for key, label in labels.items()
        ]

    def hidden(self) -> list[tuple[str, str]]:
        """List what a form that asks for other days carries along."""
        query = QueryDict(self._query({"period": "custom", "from": None, "to": None}))
        return [(name, value) for name, values in query.lists() for value in values]

    def _without(self, group: Group, key: str) -> str:
        left = tuple(value for value in self.filters[group] if value != key)
        return f"?{self._query({}, {**self.filters, group: left})}"

    def _query(self, changes: Mapping[str, str | None], filters: Filters | None = None) -> str:
        kept = QueryDict(mutable=True)
        for name in _KEPT:
            value = changes.get(name, self.query.get(name))
            if value:
                kept[name] = value
        for group, values in (self.filters if filters is None else filters).items():
            if values:
                kept.setlist(group, list(values))
        return kept.urlencode()


def offered_to(viewer: Viewer) -> tuple[Group, ...]:
    """Offer only what can differ: all of one's own entries have the same user."""
    if viewer.sees_all:
        return tuple(Group)
    first = (Group.USER, Group.KEY) if viewer.team_ids else ()
    rest = (Group.MODEL, Group.PROVIDER, Group.ROUTE, Group.KEY, Group.SOURCE, Group.TAG)
    return tuple(dict.fromkeys((*first, *rest)))


def _valid(group: Group, values: Iterable[str]) -> Iterable[str]:
    for value in values:
        is_id = value.isascii() and value.isdecimal() and len(value) <= _MOST_DIGITS
        if value == NOTHING or is_id or (not group.is_row and value and "\0" not in value):
            yield value
