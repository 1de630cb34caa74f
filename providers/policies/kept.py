"""Keep a team's policy: whole, checked, and with its row in the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from decimal import Decimal
from itertools import pairwise
from typing import Any

from django.conf import settings
from django.db import transaction

from providers import audit
from providers.engine.filters.patterns import MOST_PATTERNS, PatternFault, compiled
from providers.engine.policy import NONE, Policy
from providers.models import Team, TeamPolicy, User
from providers.policies import snapshot

# Allowed finds are somebody's data: the log tells how many there are.
_COUNTED = ("pii_allow",)
_LEVELS = ("simplified_below", "essential_below", "emergency_below")


class PolicyFault(Exception):
    """`field` is the policy's; the message is for who filled it in."""

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


def of_team(team: Team) -> Policy:
    row = TeamPolicy.objects.filter(team=team).first()
    return NONE if row is None else snapshot.policy(row)


def check(policy: Policy) -> None:
    """Raise PolicyFault."""
    if len(policy.pii_patterns) > MOST_PATTERNS:
        raise PolicyFault(f"At most {MOST_PATTERNS} patterns are kept.", field="pii_patterns")
    names = [pattern.name.casefold() for pattern in policy.pii_patterns]
    for pattern in policy.pii_patterns:
        try:
            compiled(pattern)
        except PatternFault as fault:
            where = pattern.name or "A pattern without a name"
            raise PolicyFault(f"{where}: {fault}", field="pii_patterns") from None
        if names.count(pattern.name.casefold()) > 1:
            raise PolicyFault(f"Two patterns are named {pattern.name}.", field="pii_patterns")
    _check_levels(policy)


def save(team: Team, policy: Policy, by: User) -> TeamPolicy:
    """Put it in force in every process. Raises PolicyFault."""
    check(policy)
    with transaction.atomic():
        before = of_team(team)
        values = {**asdict(policy), "pii_detectors": list(policy.pii_detectors)}
        values["pii_allow"] = list(policy.pii_allow)
        row, _ = TeamPolicy.objects.update_or_create(team=team, defaults=values)
        if before != policy:
            audit.write(
                by,
                "policy.changed",
                f"team {team.slug}",
                before=_facts(before, policy),
                after=_facts(policy, before),
            )
    return row


def _check_levels(policy: Policy) -> None:
    """Refuse a lower level that begins above a higher one; what is empty is the installation's."""
    installed = settings.GAIWEB.degradation
    for higher, lower in pairwise(_LEVELS):
        own = [getattr(policy, name) for name in (higher, lower)]
        if own == [None, None]:
            continue
        above, below = (
            getattr(installed, name) if score is None else score
            for name, score in zip((higher, lower), own, strict=True)
        )
        if below > above:
            raise PolicyFault(
                f"{below:g} is above {above:g}, where the level before it begins.",
                field=lower if own[1] is not None else higher,
            )


def _facts(policy: Policy, other: Policy) -> Mapping[str, Any]:
    """List what differs, as JSON."""
    mine, others = asdict(policy), asdict(other)
    changed = {name: value for name, value in mine.items() if value != others[name]}
    return {
        name: f"{len(value)} entries" if name in _COUNTED else _as_json(value)
        for name, value in changed.items()
    }


def _as_json(value: Any) -> Any:
    return f"{value.normalize():f}" if isinstance(value, Decimal) else value
