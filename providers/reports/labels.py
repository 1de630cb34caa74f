"""What people call a group: a team's name, an address, a key's prefix, or what it is already."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection

from providers.reports.question import NOTHING, Group

_ROWS = {
    Group.TEAM: "SELECT id::text, name FROM providers_team WHERE id = ANY (%s::bigint[])",
    Group.USER: "SELECT id::text, email FROM providers_user WHERE id = ANY (%s::bigint[])",
    Group.KEY: "SELECT id::text, name || ' (' || prefix || ')' FROM providers_virtualkey"
    " WHERE id = ANY (%s::bigint[])",
}
_NONE = {
    Group.TEAM: "No team (health probes)",
    Group.USER: "Nobody (health probes)",
    Group.KEY: "No key (playground, probes)",
    Group.PROVIDER: "Unknown (expired before it was settled)",
    Group.MODEL: "Unknown (expired before it was settled)",
    Group.ROUTE: "No route",
    Group.SOURCE: "Unknown",
    Group.TAG: "No tag",
}
NOUNS = {Group.KEY: "API key"}
"""Where the word in addresses is not the one that people use."""


def labels_of(group: Group, keys: Iterable[str]) -> dict[str, str]:
    """Name every key; `-` and the empty one are none."""
    names: dict[str, str] = {}
    wanted = list(keys)
    if group.is_row:
        ids = [int(key) for key in wanted if key.isdecimal()]
        with connection.cursor() as cursor:
            cursor.execute(_ROWS[group], [ids])
            names = dict(cursor.fetchall())
    return {key: names.get(key) or _without_row(group, key) for key in wanted}


def noun_of(group: Group) -> str:
    return NOUNS.get(group, group.value)


def title_of(group: Group) -> str:
    noun = noun_of(group)
    return noun[:1].upper() + noun[1:]


def _without_row(group: Group, key: str) -> str:
    if key in {"", NOTHING}:
        return _NONE[group]
    return f"Deleted {noun_of(group)} {key}" if group.is_row else key
