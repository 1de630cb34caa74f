"""What the ledger's tests say often."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID, uuid4

import psycopg
from django.db import connection

from providers.engine.call import AttemptRecord, AttemptStatus, Caller, Source
from providers.engine.ports import Intent
from providers.engine.routes import Deployment
from providers.engine.usage import NANO_PER_USD, Price, Usage

Answer = TypeVar("Answer")

# One dollar a token, so that a usage of 3 output tokens costs 3 dollars.
DOLLAR_A_TOKEN = Price(Decimal(1_000_000), Decimal(1_000_000), "test")
DEPLOYMENT = Deployment(
    1, "acme", "demo", "large", "", price=DOLLAR_A_TOKEN, max_output_tokens=1000
)
NOBODY = Caller(Source.PROBE)


async def aside(function: Callable[..., Answer], *arguments: Any, **named: Any) -> Answer:
    """Run Django's side in a thread of its own, as a view or a task would."""

    def run() -> Answer:
        try:
            return function(*arguments, **named)
        finally:
            connection.close()

    return await asyncio.to_thread(run)


def dollars(amount: float) -> int:
    return int(amount * NANO_PER_USD)


def intent(worst: float | None = 1, caller: Caller = NOBODY, ttl_s: float = 60) -> Intent:
    nano = None if worst is None else dollars(worst)
    return Intent(uuid4(), caller, "default", nano, ttl_s)


def attempt(cost: float | None = 1, number: int = 1, **facts: Any) -> AttemptRecord:
    """`cost` in whole dollars; None: no usage is known."""
    usage = None if cost is None else Usage(0, int(cost))
    facts = {"status": AttemptStatus.OK, "usage": usage, "input_bound": 10, **facts}
    started_at = facts.pop("started_at", datetime.now(UTC))
    return AttemptRecord(number, facts.pop("deployment", DEPLOYMENT), started_at, **facts)


@dataclass
class Books:
    """What is committed, seen by an independent connection."""

    own: psycopg.Connection[tuple[Any, ...]]
    named: dict[str, int] = field(default_factory=dict)

    def all(self, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
        return self.own.execute(query, arguments).fetchall()

    def one(self, query: str, *arguments: Any) -> Any:
        return self.all(query, *arguments)[0][0]

    def budget(self, limit: float, scope: str = "org", **facts: Any) -> int:
        columns = {"is_hard": True, "period": "month", "time_zone": "UTC", **facts}
        names = ", ".join(columns)
        marks = ", ".join(["%s"] * len(columns))
        return self.one(
            f"INSERT INTO providers_budget (scope, limit_nano, created_at, {names})"
            f" VALUES (%s, %s, now(), {marks}) RETURNING id",
            scope,
            dollars(limit),
            *columns.values(),
        )

    def team(self, name: str = "Search") -> int:
        return self.one(
            "INSERT INTO providers_team (name, slug, created_at) VALUES (%s, %s, now())"
            " RETURNING id",
            name,
            name.lower(),
        )

    def move_to(self, zone: str) -> None:
        """Set the organisation's time zone."""
        self.own.execute(
            "INSERT INTO providers_organisation (id, name, time_zone) VALUES (1, 'Ours', %s)"
            " ON CONFLICT (id) DO UPDATE SET time_zone = excluded.time_zone",
            [zone],
        )

    def counters(self, budget: int | None = None) -> tuple[float, float]:
        """Spent and held of the budget (of all), in dollars."""
        rows = self.all(
            "SELECT coalesce(sum(spent_nano), 0), coalesce(sum(held_nano), 0)"
            " FROM providers_budgetwindow WHERE %s::bigint IS NULL OR budget_id = %s",
            budget,
            budget,
        )
        spent, held = rows[0]
        return float(spent) / NANO_PER_USD, float(held) / NANO_PER_USD

    def open(self) -> set[UUID]:
        return {
            row[0]
            for row in self.all("SELECT id FROM providers_reservation WHERE settled_at IS NULL")
        }

    def costs(self) -> list[float | None]:
        rows = self.all("SELECT cost_nano FROM providers_entry ORDER BY reservation_id, attempt")
        return [None if cost is None else cost / NANO_PER_USD for (cost,) in rows]
