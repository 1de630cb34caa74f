"""Why a request was not admitted, in words that say the way out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from providers.engine.errors import BudgetExceeded, Unpriced
from providers.engine.ports import Downgrade
from providers.ledger.money import usd

if TYPE_CHECKING:
    from providers.engine.ports import Intent

ADJECTIVES = {"day": "daily", "week": "weekly", "month": "monthly", "total": "total"}

# Names whom a budget belongs to; used with one budget's id.
BUDGET_SQL = """
SELECT b.scope, b.period, b.time_zone, b.limit_nano,
    coalesce(t.name, u.email, k.prefix, nullif(b.tag, '')) AS owner,
    ledger_window_end(b.period, b.time_zone, b.starts_on, %s) AS resets_at, b.degrade_to
FROM providers_budget b
LEFT JOIN providers_team t ON t.id = b.team_id
LEFT JOIN providers_user u ON u.id = b.user_id
LEFT JOIN providers_virtualkey k ON k.id = b.key_id
WHERE b.id = %s
"""


@dataclass(frozen=True, slots=True)
class RefusedBy:
    """The budget that said no. `resets_at` None: never by itself.

    `degrade_to` not empty: it only said that this cheaper route shall answer.
    """

    scope: str
    period: str
    time_zone: str
    limit_nano: int
    owner: str | None
    resets_at: datetime | None
    degrade_to: str = ""

    @property
    def name(self) -> str:
        return budget_name(self.scope, self.period, self.owner)


def budget_name(scope: str, period: str, owner: str | None) -> str:
    """`monthly budget of team Search`; `owner` is ignored for the organisation."""
    whose = {
        "org": "the organisation",
        "team": f"team {owner}",
        "user": f"{owner}",
        "key": f"key {owner}",
        "tag": f"tag {owner}",
    }[scope]
    return f"{ADJECTIVES[period]} budget of {whose}"


def budget_exceeded(by: RefusedBy, needed_nano: int, room_nano: int) -> BudgetExceeded:
    left = f"{usd(room_nano)} left" if room_nano > 0 else "nothing left"
    return BudgetExceeded(
        f"The {by.name} ({usd(by.limit_nano)}) has {left}; this request can cost up to"
        f" {usd(needed_nano)}. {_reset(by)} Nothing was charged. Use a smaller max_tokens or a"
        " shorter prompt, or ask an owner to raise the budget.",
        budget=by.name,
        resets_at=by.resets_at,
    )


def downgrade(by: RefusedBy, needed_nano: int, room_nano: int) -> Downgrade:
    left = f"has {usd(room_nano)} left of {usd(by.limit_nano)}" if room_nano > 0 else "is used up"
    need = f" and this request can cost up to {usd(needed_nano)}" if room_nano > 0 else ""
    return Downgrade(by.name, by.degrade_to, f"The {by.name} {left}{need}", by.resets_at)


def unpriced(by: RefusedBy, intent: Intent) -> Unpriced:
    return Unpriced(
        f"A model behind {intent.route} has no known price, and the {by.name} is a hard limit, so"
        " the request was not sent and nothing was charged. An operator can set its price in the"
        " settings of the route."
    )


def _reset(by: RefusedBy) -> str:
    if by.resets_at is None:
        return "It does not reset by itself."
    zone = UTC if by.time_zone == "UTC" else ZoneInfo(by.time_zone)
    return f"It resets on {by.resets_at.astimezone(zone):%-d %B %Y at %H:%M} ({by.time_zone})."
