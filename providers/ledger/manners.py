"""How a budget behaves: when its windows begin, what happens at the limit, what is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from zoneinfo import available_timezones

from providers.ledger.faults import InvalidBudget
from providers.ledger.windows import LAST_START
from providers.models import THRESHOLDS, Budget, Organisation, Route

MOST_THRESHOLDS = 8
HIGHEST_THRESHOLD = 200


@dataclass(frozen=True, slots=True)
class Policy:
    """What happens when. None: as the budget has it, of a new one the default.

    The default is the organisation's time zone, the first day, 50, 80 and 100 %. `degrade_to` is
    the route that answers at the limit of a budget that is not hard; empty: it only warns.
    """

    degrade_to: str = ""
    time_zone: str | None = None
    starts_on: int | None = None
    thresholds: tuple[int, ...] | None = None


AS_IT_IS = Policy()


def checked(period: str, policy: Policy, known: Budget | None, *, is_hard: bool) -> dict[str, Any]:
    """Fill in what the policy leaves open; columns of the budget. Raises InvalidBudget."""
    before = known or Budget(time_zone=_own_time_zone(), thresholds=list(THRESHOLDS))
    zone = policy.time_zone or before.time_zone
    if zone not in available_timezones():
        raise InvalidBudget(
            "time_zone", f"Unknown time zone '{zone}'. Use a name such as Europe/Berlin."
        )
    starts_on = before.starts_on if policy.starts_on is None else policy.starts_on
    last = LAST_START.get(period, 1)
    if not 1 <= starts_on <= last:
        raise InvalidBudget("starts_on", _start_words(period, last))
    thresholds = before.thresholds if policy.thresholds is None else policy.thresholds
    return {
        "time_zone": zone,
        "starts_on": starts_on,
        "thresholds": _thresholds(thresholds),
        "degrade_to": _cheaper_route(policy.degrade_to, is_hard=is_hard),
    }


def _cheaper_route(name: str, *, is_hard: bool) -> str:
    if not name:
        return ""
    if is_hard:
        raise InvalidBudget(
            "degrade_to", "A hard budget refuses; leave the cheaper route out, or be not hard."
        )
    known = list(Route.objects.filter(is_enabled=True).order_by("name"))
    if name not in {route.name for route in known}:
        listed = ", ".join(route.name for route in known) or "none yet"
        raise InvalidBudget("degrade_to", f"There is no route '{name}' in use. Known: {listed}.")
    return name


def _thresholds(percents: object) -> list[int]:
    found = sorted(set(percents))  # type: ignore[call-overload]  # a list or tuple of them
    if len(found) > MOST_THRESHOLDS or not all(1 <= each <= HIGHEST_THRESHOLD for each in found):
        raise InvalidBudget(
            "thresholds",
            f"Thresholds are at most {MOST_THRESHOLDS} percents from 1 to {HIGHEST_THRESHOLD}.",
        )
    return found


def _start_words(period: str, last: int) -> str:
    if last == 1:
        return f"A period of a {period} has no start day; leave it at 1."
    return f"A {period} starts on a day from 1 to {last}{' (Monday is 1)' if last == 7 else ''}."


def _own_time_zone() -> str:
    own = Organisation.objects.values_list("time_zone", flat=True).first()
    return own or "UTC"
