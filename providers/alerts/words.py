"""An alert in words: what is used up, until when, and what happens at the limit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from providers.ledger.money import usd
from providers.ledger.refusals import budget_name
from providers.models import Budget, BudgetAlert


@dataclass(frozen=True, slots=True)
class Alert:
    """`name` is the budget's in words; `path` its page. `resets_at` None: never by itself."""

    id: int
    budget_id: int
    name: str
    threshold: int
    spent_nano: int
    limit_nano: int
    at: datetime
    starts_at: datetime
    resets_at: datetime | None
    time_zone: str
    at_limit: str

    @property
    def headline(self) -> str:
        return (
            f"{self.threshold} % of the {self.name} is used: {usd(self.spent_nano)}"
            f" of {usd(self.limit_nano)}"
        )

    @property
    def reset(self) -> str:
        if self.resets_at is None:
            return "It does not reset by itself."
        local = self.resets_at.astimezone(ZoneInfo(self.time_zone))
        return f"It resets on {local:%-d %B %Y at %H:%M} ({self.time_zone})."

    @property
    def tone(self) -> str:
        return "bad" if self.threshold >= 100 else "warn"


def alert_of(row: BudgetAlert) -> Alert:
    """Asks for the window, its budget and whom that binds, where they were not selected."""
    window, budget = row.window, row.window.budget
    return Alert(
        id=row.pk,
        budget_id=budget.pk,
        name=name_of(budget),
        threshold=row.threshold,
        spent_nano=row.spent_nano,
        limit_nano=row.limit_nano,
        at=row.at,
        starts_at=window.starts_at,
        resets_at=window.ends_at,
        time_zone=budget.time_zone,
        at_limit=at_limit(is_hard=budget.is_hard, degrade_to=budget.degrade_to),
    )


def name_of(budget: Budget) -> str:
    owner = (
        (budget.team and budget.team.name)
        or (budget.user and budget.user.email)
        or (budget.key and budget.key.prefix)
        or budget.tag
    )
    return budget_name(budget.scope, budget.period, owner or None)


def at_limit(*, is_hard: bool, degrade_to: str) -> str:
    if is_hard:
        return "At the limit prompts are refused before they are sent."
    if degrade_to:
        return f"At the limit the route {degrade_to} answers instead."
    return "It only warns: prompts go on."
