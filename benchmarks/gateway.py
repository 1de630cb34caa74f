"""Requests a second of `/v1/chat/completions` with budgets on, beside the bare upstream.

    .venv/bin/python -m benchmarks.gateway [--seconds 2] [--runs 5] [--callers 1,32]

One uvicorn worker, a real Postgres (DATABASE_URL, else the embedded one), a database of its own
that is thrown away afterwards. Everything shares this machine's cores, the load included, so the
processor time of the server per request is printed too: it depends least on who else is busy.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import uvloop

from benchmarks import load

ROOT = Path(__file__).resolve().parent.parent
_TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def process(*command: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(
        [sys.executable, "-m", *command], cwd=ROOT, env={**os.environ, **environment}
    )
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(20)


@contextmanager
def database() -> Iterator[str]:
    """Make a migrated database for this run only; answers its URL."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gaiweb.settings")
    django.setup()
    from django.conf import settings
    from django.db import connection
    from django.test.utils import setup_databases, teardown_databases

    with ExitStack() as stack:
        if settings.GAIWEB.has_embedded_postgres:
            from gaiweb.embedded import postgres

            stack.enter_context(postgres.ensure(settings.GAIWEB.data_dir))
        connection.settings_dict["TEST"]["NAME"] = "bench_gateway"
        names = setup_databases(0, interactive=False)
        values = connection.settings_dict
        user = quote(values["USER"] or "", safe="")
        if values["PASSWORD"]:
            user += ":" + quote(values["PASSWORD"], safe="")
        port = f":{values['PORT']}" if values["PORT"] else ""
        try:
            yield f"postgres://{user}@{quote(values['HOST'], safe='')}{port}/{values['NAME']}"
        finally:
            connection.close_pool()
            teardown_databases(names, 0)


def prepare(upstream: int) -> str:
    """Make a team with a key, a priced route, hard budgets on every scope; answers the secret."""
    from django.db import connection

    from providers import catalog, virtual_keys
    from providers.ledger import budgets
    from providers.models import Membership, Team, User

    catalog.add_provider(
        name="fast",
        kind="openai_chat",
        base_url=f"http://127.0.0.1:{upstream}/v1",
        is_local=True,
        secret="sk-bench",
    )
    price = catalog.OwnPrice(Decimal("0.15"), Decimal("0.60"))
    catalog.add_route(name="fast", targets=["fast/fast"], prices=price, max_output=100)
    team = Team.objects.create(name="Bench", slug="bench")
    user = User.objects.create_user("bench@example.org")
    Membership.objects.create(team=team, user=user)
    key, secret = virtual_keys.issue(user=user, team=team, name="bench")
    for scope in ("org", f"team:{team.slug}", f"user:{user.email}", f"key:{key.prefix}"):
        budgets.set_budget(
            scope=budgets.parse_scope(scope),
            limit_usd=Decimal(1_000_000),
            period="month",
            is_hard=True,
        )
    connection.close()
    return secret


def wait_alive(port: int) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/livez", timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server did not start")


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def measure(name: str, port: int, request: bytes, args: Any, pid: int) -> dict[int, float]:
    medians = {}
    for callers in args.callers:
        asyncio.run(load.run(port, request, callers, 0.5))
        results, cpu = [], []
        for _ in range(args.runs):
            before = cpu_seconds(pid)
            result = asyncio.run(load.run(port, request, callers, args.seconds))
            cpu.append((cpu_seconds(pid) - before) * 1000 / max(1, len(result.latencies)))
            results.append(result)
        rates = [each.per_second for each in results]
        medians[callers] = statistics.median(rates)
        print(
            f"{name:>16} {callers:>4} callers: {medians[callers]:>8,.0f}/s "
            f"(from {min(rates):,.0f} to {max(rates):,.0f}), "
            f"p50 {statistics.median(each.percentile(0.5) for each in results):.2f} ms, "
            f"p99 {statistics.median(each.percentile(0.99) for each in results):.1f} ms, "
            f"{statistics.median(cpu):.3f} ms processor a request, "
            f"{sum(each.failures for each in results)} failed",
            flush=True,
        )
    return medians


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument(
        "--callers", type=lambda text: [int(each) for each in text.split(",")], default=[1, 32]
    )
    parser.add_argument("--streams", action="store_true", help="100 chunks an answer")
    parser.add_argument("--hold", action="store_true", help="keep the server up after the runs")
    args = parser.parse_args()
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    body = {
        "model": "fast",
        "messages": [{"role": "user", "content": "Say something short about foxes."}],
    }
    if args.streams:
        body |= {"stream": True}
    port, upstream = free_port(), free_port()
    with (
        database() as url,
        process("benchmarks.upstream", str(upstream)) as fast,
    ):
        secret = prepare(upstream)
        settings = {"DATABASE_URL": url, "PORT": str(port), "GAIWEB_LOG_LEVEL": "WARNING"}
        with process("gaiweb.embedded.web", **settings) as server:
            wait_alive(port)
            request = load.request_of("/v1/chat/completions", orjson.dumps(body), secret)
            direct = measure("direct upstream", upstream, request, args, fast.pid)
            ours = measure("gateway", port, request, args, server.pid)
            for callers, rate in ours.items():
                print(f"ratio at {callers} callers: {rate / direct[callers]:.3f} of the upstream")
            if args.hold:
                print(f"server {server.pid} on port {port}, key {secret}")
                input("Enter ends it. ")


if __name__ == "__main__":
    main()
