"""Admissions with their settlements a second: Django's ORM, psycopg per request, group commit.

    .venv/bin/python -m benchmarks.ledger [--seconds 1] [--runs 5] [--callers 1,32,128,512]

Each caller holds the worst case on four hard budgets (organisation, team, user, key), books one
attempt, and begins anew. All three write the same rows and counters, and the books are checked
afterwards. They take turns within a round, so that a busy minute hits all of them. A Postgres as
for `benchmarks.gateway`; server and callers share this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from statistics import median
from threading import Barrier
from typing import Any, Protocol
from uuid import UUID

import uvloop
from psycopg_pool import AsyncConnectionPool
from uuid_utils.compat import uuid7

from benchmarks.gateway import database

TEAMS, KEYS_A_TEAM = 4, 8
WORST_NANO, COST_NANO = 1_000_000, 250_000
CONNECTIONS = 16


@dataclass(frozen=True)
class Payer:
    """Who pays, besides the organisation. Which budgets bind it is asked anew for each hold."""

    team_id: int
    user_id: int
    key_id: int


class Contender(Protocol):
    async def once(self, payer: Payer) -> None:
        """Hold, and settle."""
        ...

    async def aclose(self) -> None: ...


class Orm:
    """Two short transactions a request, in threads, as views and tasks would do it."""

    def __init__(self) -> None:
        self.threads = ThreadPoolExecutor(CONNECTIONS)

    async def once(self, payer: Payer) -> None:
        loop = asyncio.get_running_loop()
        id = await loop.run_in_executor(self.threads, self.hold, payer)
        await loop.run_in_executor(self.threads, self.settle, id, payer)

    def hold(self, payer: Payer) -> UUID:
        from django.db import transaction
        from django.db.models import F, Q
        from django.utils import timezone

        from providers.models import BudgetWindow, Reservation

        now = timezone.now()
        binding = Q(budget__scope="org") | Q(budget__team_id=payer.team_id)
        binding |= Q(budget__user_id=payer.user_id) | Q(budget__key_id=payer.key_id)
        current = Q(starts_at__lte=now) & (Q(ends_at=None) | Q(ends_at__gt=now))
        with transaction.atomic():
            windows = BudgetWindow.objects.filter(binding, current).order_by("pk")
            locked = list(windows.select_related("budget").select_for_update(of=("self",)))
            for window in locked:
                left = window.budget.limit_nano - window.spent_nano - window.held_nano
                if window.budget.is_hard and left < WORST_NANO:
                    raise RuntimeError("the budget is spent")
            ids = [window.pk for window in locked]
            BudgetWindow.objects.filter(pk__in=ids).update(held_nano=F("held_nano") + WORST_NANO)
            made = Reservation.objects.create(
                id=uuid7(),
                source="gateway",
                team_id=payer.team_id,
                user_id=payer.user_id,
                key_id=payer.key_id,
                route="fast",
                windows=ids,
                held_nano=WORST_NANO,
                expires_at=now + timedelta(minutes=15),
            )
        return made.pk

    def settle(self, id: UUID, payer: Payer) -> None:
        from django.db import transaction
        from django.db.models import F
        from django.utils import timezone

        from providers.models import BudgetWindow, Entry, Reservation

        with transaction.atomic():
            found = Reservation.objects.select_for_update().filter(pk=id, settled_at=None).first()
            if found is None:
                return
            Reservation.objects.filter(pk=id).update(settled_at=timezone.now())
            Entry.objects.create(
                reservation_id=id,
                attempt=1,
                source="gateway",
                team_id=payer.team_id,
                user_id=payer.user_id,
                key_id=payer.key_id,
                route="fast",
                provider="acme",
                model="large",
                status="ok",
                input_tokens=100,
                output_tokens=50,
                cost_nano=COST_NANO,
                price_version="bench",
            )
            windows = BudgetWindow.objects.filter(pk__in=found.windows).order_by("pk")
            list(windows.select_for_update().values_list("pk"))
            windows.update(
                held_nano=F("held_nano") - WORST_NANO, spent_nano=F("spent_nano") + COST_NANO
            )

    async def aclose(self) -> None:
        """Let each thread close the connection that it has kept."""
        together = Barrier(CONNECTIONS)
        for _ in range(CONNECTIONS):
            self.threads.submit(self._leave, together)
        self.threads.shutdown()

    @staticmethod
    def _leave(together: Barrier) -> None:
        from django.db import connection

        together.wait()
        connection.close()


class Psycopg:
    """One prepared statement for a hold and one for a settlement, each its own transaction."""

    HOLD = """
    WITH locked AS MATERIALIZED (
        SELECT w.id, b.limit_nano - w.spent_nano - w.held_nano AS room, b.is_hard
        FROM providers_budgetwindow w JOIN providers_budget b ON b.id = w.budget_id
        WHERE (b.scope = 'org' OR b.team_id = %(team)s OR b.user_id = %(user)s
            OR b.key_id = %(key)s)
            AND w.starts_at <= now() AND (w.ends_at IS NULL OR w.ends_at > now())
        ORDER BY w.id FOR UPDATE OF w
    ), fits AS (
        SELECT bool_and(room >= %(worst)s OR NOT is_hard) AS all FROM locked
    ), held AS (
        UPDATE providers_budgetwindow w SET held_nano = w.held_nano + %(worst)s
        FROM locked l WHERE w.id = l.id AND (SELECT fits.all FROM fits) RETURNING w.id
    )
    INSERT INTO providers_reservation
        (id, source, user_id, team_id, key_id, route, windows, held_nano, created_at, expires_at)
    SELECT %(id)s, 'gateway', %(user)s, %(team)s, %(key)s, 'fast', array_agg(id), %(worst)s,
        now(), now() + interval '15 minutes'
    FROM held HAVING count(*) > 0
    """
    SETTLE = """
    WITH closed AS (
        UPDATE providers_reservation SET settled_at = now()
        WHERE id = %(id)s AND settled_at IS NULL
        RETURNING id, source, user_id, team_id, key_id, route, windows, held_nano
    ), locked AS MATERIALIZED (
        SELECT w.id, c.held_nano AS held FROM providers_budgetwindow w
        JOIN closed c ON w.id = ANY (c.windows) ORDER BY w.id FOR UPDATE OF w
    ), entry AS (
        INSERT INTO providers_entry
            (reservation_id, source, user_id, team_id, key_id, route, attempt, at, provider, model,
            status, error_code, upstream_request_id, input_tokens, output_tokens, is_estimated,
            is_unconfirmed, cost_nano, price_version)
        SELECT id, source, user_id, team_id, key_id, route, 1, now(), 'acme', 'large', 'ok', '',
            '', 100, 50, false, false, %(cost)s, 'bench' FROM closed
    )
    UPDATE providers_budgetwindow w
    SET held_nano = w.held_nano - l.held, spent_nano = w.spent_nano + %(cost)s
    FROM locked l WHERE w.id = l.id
    """

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        self.pool = pool

    @classmethod
    async def at(cls, conninfo: str, connections: int = CONNECTIONS) -> Psycopg:
        pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
            conninfo,
            min_size=connections,
            open=False,
            kwargs={"autocommit": True, "prepare_threshold": 1},
        )
        await pool.open(wait=True)
        return cls(pool)

    async def once(self, payer: Payer) -> None:
        asked = {
            "id": uuid7(),
            "team": payer.team_id,
            "user": payer.user_id,
            "key": payer.key_id,
            "worst": WORST_NANO,
            "cost": COST_NANO,
        }
        async with self.pool.connection() as connection:
            if not (await connection.execute(self.HOLD, asked)).rowcount:
                raise RuntimeError("the budget is spent")
        async with self.pool.connection() as connection:
            await connection.execute(self.SETTLE, asked)

    async def aclose(self) -> None:
        await self.pool.close()


class GroupCommit:
    """The product's own ledger."""

    def __init__(self, ledger: Any) -> None:
        from providers.engine.call import AttemptRecord, AttemptStatus
        from providers.engine.routes import Deployment
        from providers.engine.usage import Price, Usage

        self.ledger = ledger
        # A thousandth of a dollar for a million tokens: a token costs one nano-dollar.
        price = Price(Decimal("0.001"), Decimal("0.001"), "bench")
        self.attempt = AttemptRecord(
            1,
            Deployment(1, "acme", "openai_chat", "large", "", price=price, max_output_tokens=4096),
            datetime.now(UTC),
            100,
            AttemptStatus.OK,
            usage=Usage(100, COST_NANO - 100),
        )

    @classmethod
    async def at(cls, conninfo: str) -> GroupCommit:
        from providers.ledger.pool import connect
        from providers.ledger.postgres import PostgresLedger

        return cls(PostgresLedger(await connect(conninfo)))

    async def once(self, payer: Payer) -> None:
        from providers.engine.call import Caller, Source
        from providers.engine.ports import Intent

        caller = Caller(Source.GATEWAY, payer.user_id, payer.team_id, payer.key_id)
        held = await self.ledger.reserve(Intent(uuid7(), caller, "fast", WORST_NANO, 900))
        await self.ledger.settle(held, [self.attempt])

    async def aclose(self) -> None:
        await self.ledger.aclose()


def prepare() -> list[Payer]:
    from django.db import connection

    from providers import virtual_keys
    from providers.ledger import budgets
    from providers.models import Membership, Team, User

    def limit(scope: str) -> None:
        budgets.set_budget(
            scope=budgets.parse_scope(scope),
            limit_usd=Decimal(100_000_000),
            period="month",
            is_hard=True,
        )

    payers = []
    limit("org")
    for number in range(TEAMS):
        team = Team.objects.create(name=f"Team {number}", slug=f"team-{number}")
        user = User.objects.create_user(f"bench{number}@example.org")
        Membership.objects.create(team=team, user=user)
        limit(f"team:{team.slug}")
        limit(f"user:{user.email}")
        for place in range(KEYS_A_TEAM):
            key, _ = virtual_keys.issue(user=user, team=team, name=f"key {place}")
            limit(f"key:{key.prefix}")
            payers.append(Payer(team.pk, user.pk, key.pk))
    connection.close()
    return payers


async def rate(contender: Contender, payers: list[Payer], callers: int, seconds: float) -> float:
    """Count requests a second, from the first to the last that began in time."""
    done = 0
    began = time.perf_counter()

    async def call(payer: Payer) -> None:
        nonlocal done
        while time.perf_counter() - began < seconds:
            await contender.once(payer)
            done += 1

    await asyncio.gather(*(call(payers[number % len(payers)]) for number in range(callers)))
    return done / (time.perf_counter() - began)


CONTENDERS = ("ORM", "psycopg", "group commit")


async def compare(
    conninfo: str, payers: list[Payer], args: Any
) -> dict[str, dict[int, list[float]]]:
    contenders: dict[str, Contender] = dict(
        zip(
            CONTENDERS,
            (Orm(), await Psycopg.at(conninfo), await GroupCommit.at(conninfo)),
            strict=True,
        )
    )
    rates: dict[str, dict[int, list[float]]] = {name: defaultdict(list) for name in CONTENDERS}
    for callers in args.callers:
        for turn in range(args.runs + 1):
            for name, contender in contenders.items():
                # The first turn warms plans, pools and caches up.
                seconds = args.seconds if turn else min(args.seconds, 0.5)
                found = await rate(contender, payers, callers, seconds)
                if turn:
                    rates[name][callers].append(found)
        told = ", ".join(f"{name} {median(rates[name][callers]):,.0f}/s" for name in CONTENDERS)
        print(f"{callers} callers: {told}", flush=True)
    for contender in contenders.values():
        await contender.aclose()
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument(
        "--callers",
        type=lambda text: [int(each) for each in text.split(",")],
        default=[1, 32, 128, 512],
    )
    args = parser.parse_args()
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    with database() as url:
        from django.db import connection

        from providers.ledger import check

        payers = prepare()
        rates = asyncio.run(compare(url, payers, args))
        found = check.run()
        connection.close()
        print("| | " + " | ".join(f"{callers} callers" for callers in args.callers) + " |")
        print("|---" * (1 + len(args.callers)) + "|")
        for name in CONTENDERS:
            told = " | ".join(
                f"{median(each):,.0f}/s ({min(each):,.0f} to {max(each):,.0f})"
                for each in rates[name].values()
            )
            print(f"| {name} | {told} |")
        print(f"ledger check: {'clean' if found.is_clean else found.differences}")


if __name__ == "__main__":
    main()
