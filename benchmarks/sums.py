"""Holds and settlements a second, and what keeping sums of them costs.

    .venv/bin/python -m benchmarks.sums [--seconds 1.5] [--runs 5] [--callers 32,128]
        [--processes 1,3] [--people 40] [--budget]

Each caller holds, settles one attempt, and begins again; both are durable before it goes on. As
many people as `--people` with a key each ask by turns for one of four models. `--budget` puts a
hard budget of the organisation over all of them: its row is one that every process waits for.
Every other run is made without the trigger that keeps sums, so that both meet the same neighbours.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import uvloop

from benchmarks.gateway import ROOT, database

MODELS = ("large", "medium", "small", "tiny")
_NANO = 1_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--callers", type=_numbers, default=[32, 128])
    parser.add_argument("--processes", type=_numbers, default=[1, 3])
    parser.add_argument("--people", type=int, default=40)
    parser.add_argument("--budget", action="store_true")
    parser.add_argument("--url", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.url:
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
        print(asyncio.run(_ask(args)))
        return
    with database() as url:
        if args.budget:
            _set_budget()
        for processes, callers in itertools.product(args.processes, args.callers):
            _measure(args, url, processes, callers)


def _measure(args: Any, url: str, processes: int, callers: int) -> None:
    command = [sys.executable, "-m", "benchmarks.sums", "--url", url,
               "--seconds", str(args.seconds), "--people", str(args.people),
               "--callers", str(max(1, callers // processes))]  # fmt: skip
    rates: dict[bool, list[float]] = {True: [], False: []}
    for keeps_sums in [False, True] * args.runs:
        _switch("ENABLE" if keeps_sums else "DISABLE")
        crowd = [
            subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(processes)
        ]
        rates[keeps_sums].append(sum(float(each.communicate()[0]) for each in crowd))
    ratios = [kept / bare for kept, bare in zip(rates[True], rates[False], strict=True)]
    print(
        f"{processes} process{'es' if processes > 1 else '  '} {callers:>4} callers, settled/s:"
        f" without sums {_spread(rates[False])}, with sums {_spread(rates[True])},"
        f" ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
        flush=True,
    )


def _switch(verb: str) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE providers_entry {verb} TRIGGER ledger_sum_entries")
    connection.close()


def _spread(rates: list[float]) -> str:
    return f"{statistics.median(rates):,.0f} ({min(rates):,.0f} to {max(rates):,.0f})"


async def _ask(args: Any) -> float:
    import django

    django.setup()
    from providers.engine.call import AttemptRecord, AttemptStatus, Caller, Source
    from providers.engine.ports import Intent
    from providers.engine.routes import Deployment
    from providers.engine.usage import Price, Usage
    from providers.ledger.pool import connect
    from providers.ledger.postgres import PostgresLedger

    price = Price(Decimal(1), Decimal(1), "bench")
    served = [
        Deployment(number, "acme", "acme", model, "", price=price, max_output_tokens=1000)
        for number, model in enumerate(MODELS)
    ]
    ledger = PostgresLedger(await connect(args.url))
    turns: Iterator[int] = itertools.count()
    settled = 0

    async def one(until: float) -> None:
        nonlocal settled
        while time.perf_counter() < until:
            turn = next(turns)
            person = turn % args.people + 1
            caller = Caller(Source.GATEWAY, person, person % 8 + 1, person)
            held = await ledger.reserve(Intent(uuid4(), caller, "default", _NANO, 600))
            record = AttemptRecord(
                1, served[turn // args.people % len(served)], datetime.now(UTC),
                status=AttemptStatus.OK, usage=Usage(900, 100), input_bound=900,
            )  # fmt: skip
            await ledger.settle(held, [record])
            settled += 1

    for seconds in (0.3, args.seconds):
        settled, began = 0, time.perf_counter()
        await asyncio.gather(*(one(began + seconds) for _ in range(args.callers[0])))
        rate = settled / (time.perf_counter() - began)
    await ledger.aclose()
    return rate


def _set_budget() -> None:
    from django.db import connection

    from providers.ledger import budgets

    budgets.set_budget(
        scope=budgets.parse_scope("org"),
        limit_usd=Decimal(1_000_000),
        period="month",
        is_hard=True,
    )
    connection.close()


def _numbers(text: str) -> list[int]:
    return [int(each) for each in text.split(",")]


if __name__ == "__main__":
    main()
