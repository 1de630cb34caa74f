"""The order in which budgets stand: organisation, teams, their people, those people's keys."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from providers.ledger.balances import Balance
from providers.models import Budget, Membership

_Place = tuple[int, str, str, int]


def in_tree(balances: Sequence[Balance]) -> list[tuple[Balance, int]]:
    """Give each its depth. Who is in several teams stands beside them, and so do tags.

    A key stands under its holder in the team that pays for it.
    """
    found = Budget.objects.filter(pk__in=[balance.budget_id for balance in balances])
    rows = {row.pk: row for row in found.select_related("team", "user", "key__team", "key__user")}
    teams = _only_teams(rows.values())
    placed = [(_place(rows[each.budget_id], teams), each) for each in balances]
    placed.sort(key=lambda pair: pair[0])
    highest = min((place[-1] for place, _ in placed), default=0)
    return [(balance, place[-1] - highest) for place, balance in placed]


def _place(row: Budget, teams: dict[int, str]) -> _Place:
    """Sort by group, team, person; the last is the depth."""
    if row.team is not None:
        return (1, row.team.name, "", 1)
    if row.key is not None:
        return (1, row.key.team.name, row.key.user.email, 3)
    if row.user is not None and row.user.pk in teams:
        return (1, teams[row.user.pk], row.user.email, 2)
    if row.scope == "org":
        return (0, "", "", 0)
    return (2, "", row.user.email if row.user else row.tag, 1)


def _only_teams(rows: Collection[Budget]) -> dict[int, str]:
    """Name the team of each person who is in one alone."""
    people = [row.user_id for row in rows if row.user_id]
    found: dict[int, list[str]] = {}
    for membership in Membership.objects.filter(user__in=people).select_related("team"):
        found.setdefault(membership.user_id, []).append(membership.team.name)
    return {user: names[0] for user, names in found.items() if len(names) == 1}
