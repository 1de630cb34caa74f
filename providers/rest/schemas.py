"""Shapes of answers. Dollars are decimal strings with nine places; unknown is null, never 0."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from ninja import Schema
from pydantic import Field, PlainSerializer

from providers.ledger.money import to_decimal

Usd = Annotated[
    Decimal,
    PlainSerializer(lambda dollars: f"{dollars:.9f}", return_type=str),
    Field(description="Dollars as a decimal string.", examples=["0.000123400"]),
]


def usd(nano: int) -> Decimal:
    return to_decimal(nano)


class TeamOut(Schema):
    slug: str
    name: str


class KeyOut(Schema):
    name: str
    prefix: str
    expires_at: datetime | None


class MeOut(Schema):
    """`key` is null for a signed-in person, `team` for a member of none."""

    email: str
    organisation_role: str = Field(description="owner, operator or empty")
    team: TeamOut | None
    team_role: str | None = Field(description="viewer, member, admin; null outside the team")
    key: KeyOut | None


class FiguresOut(Schema):
    """`unpriced` attempts have no known cost and are not in `cost_usd`."""

    cost_usd: Usd
    requests: int
    attempts: int
    input_tokens: int
    output_tokens: int
    unpriced: int


class GroupOut(FiguresOut):
    key: str
    label: str


class DayOut(FiguresOut):
    day: date


class UsageOut(Schema):
    """Sums over whole days of one time zone; `settling` requests are not in them yet."""

    first: date
    last: date
    time_zone: str
    group: str
    total: FiguresOut
    groups: list[GroupOut]
    days: list[DayOut]
    settling: int
    as_of: datetime


class BudgetOut(Schema):
    """One budget that binds the asker; `resets_at` null: never by itself."""

    name: str
    scope: str
    owner: str | None
    period: str
    hard: bool
    limit_usd: Usd
    spent_usd: Usd
    held_usd: Usd
    left_usd: Usd
    starts_at: datetime
    resets_at: datetime | None
    time_zone: str


class BudgetsOut(Schema):
    budgets: list[BudgetOut]


class DeductionOut(Schema):
    """`counts` false: told, but too few samples to take anything."""

    points: float
    reason: str
    counts: bool


class ScoreOut(Schema):
    """`value` is 0 to 1 and adds up: 1 less the hundredths of every deduction that counts."""

    value: float
    samples: int
    deductions: list[DeductionOut]


class DeploymentOut(Schema):
    """`success_share` and `p95_ms` are of the last hour; null: there was nothing to judge by."""

    provider: str
    model: str
    enabled: bool
    condition: str
    success_share: float | None
    attempts_judged: int
    p95_ms: int | None
    breaker: str | None
    last_success_at: datetime | None
    last_error_code: str | None
    last_error_at: datetime | None
    score: ScoreOut | None = Field(description="null: no route leads to it, or not judged yet")


class HealthOut(Schema):
    as_of: datetime
    level: str = Field(description="ok, warn, bad or mute")
    headline: str
    reason: str
    score: ScoreOut | None = Field(description="of the system; null: not judged yet")
    degradation: str = Field(description="in force: full, simplified, essential or emergency")
    degradation_since: datetime
    degradation_until: datetime | None = Field(description="set by hand until then; else null")
    deployments: list[DeploymentOut]


class FaultOut(Schema):
    """An error in the guide's words; docs/errors.md lists the codes."""

    code: str
    message: str
    user_facing: bool
    retryable: bool = Field(description="whether the same request again can succeed")
    retry_after: float | None = Field(
        description="seconds, null where waiting is not known to help"
    )
    context: dict[str, object]


class ErrorOut(Schema):
    error: FaultOut
