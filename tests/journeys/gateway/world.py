"""What a journey needs: a server process, a team with a key, routes, a look into the ledger."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psycopg
from django.db import connection
from django.utils import timezone
from kombu import Connection
from openai import AsyncOpenAI, OpenAI
from psycopg.conninfo import make_conninfo

from conversations.batches import book as batches
from conversations.batches.prompts import Prompt
from conversations.choices import Choices
from conversations.models import BatchJob
from gaiweb.celery import app as celery
from providers import catalog, virtual_keys
from providers.ledger import budgets, check
from providers.models import Membership, Team, User
from tests.upstream import FakeUpstream

ROOT = Path(__file__).resolve().parents[3]
# Dollars per million tokens: a token in costs 1,000 nano-dollars, one out 2,000.
PRICE = catalog.OwnPrice(Decimal(1), Decimal(2))
IN_NANO, OUT_NANO = 1_000, 2_000
_numbers = count(1)


def eventually(what: Callable[[], Any], within_s: float = 5.0) -> Any:
    """Ask until it is true; the server lives in another process, so time is the wall's."""
    until = time.monotonic() + within_s
    while not (found := what()):
        assert time.monotonic() < until, "it did not come true in time"
        time.sleep(0.01)
    return found


def database_url() -> str:
    """Name the test database, for a process of its own."""
    values = connection.settings_dict
    user = quote(values["USER"], safe="")
    if values["PASSWORD"]:
        user += ":" + quote(values["PASSWORD"], safe="")
    host = quote(values["HOST"] or "", safe="")
    port = f":{values['PORT']}" if values["PORT"] else ""
    return f"postgres://{user}@{host}{port}/{values['NAME']}"


def conninfo() -> str:
    values = connection.settings_dict
    return make_conninfo(
        dbname=values["NAME"],
        host=values["HOST"] or None,
        port=values["PORT"] or None,
        user=values["USER"] or None,
        password=values["PASSWORD"] or None,
    )


@dataclass
class Server:
    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def stop(self) -> None:
        """Ask it to end, as an operator does."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(15)

    @classmethod
    @contextmanager
    def running(cls, log: Path, drain_s: int = 1, **settings: str) -> Iterator[Server]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = (
            f"{sys.executable} -m uvicorn gaiweb.asgi:application --port {port} --lifespan on "
            f"--loop uvloop --http httptools --no-access-log --timeout-graceful-shutdown {drain_s}"
        )
        # Broken providers are what most journeys are about; only their own test degrades.
        settings = {"GAIWEB_DEGRADATION_AUTOMATIC": "false", **settings}
        # Made-up failures are what many journeys are about; only some of them degrade.
        kept = {"GAIWEB_DEGRADATION_AUTOMATIC": "false", **settings}
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "DATABASE_URL": database_url(),
            "GAIWEB_TEST_KEEPS": ",".join(kept),
            **kept,
        }
        with log.open("wb") as sink:
            process = subprocess.Popen(
                command.split(), cwd=ROOT, env=environment, stdout=sink, stderr=sink
            )
        server = cls(f"http://127.0.0.1:{port}", process, log)
        try:
            eventually(server._is_alive, 90)
            yield server
        finally:
            if process.poll() is None:
                server.stop()

    def _is_alive(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            with urllib.request.urlopen(self.url + "/livez", timeout=1) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


@dataclass
class Worker:
    """A real Celery worker with its clock; `broker` is the address of its queue."""

    process: subprocess.Popen[bytes]
    broker: str
    log: Path

    def ring(self) -> None:
        """Let it look for batches now; its own clock would within five seconds."""
        with Connection(self.broker) as connection:
            celery.send_task("conversations.tasks.work_batches", connection=connection)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(15)

    @classmethod
    @contextmanager
    def running(cls, log: Path, broker: str, **settings: str) -> Iterator[Worker]:
        kept = {"GAIWEB_DEGRADATION_AUTOMATIC": "false", "CELERY_BROKER_URL": broker, **settings}
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "DATABASE_URL": database_url(),
            "GAIWEB_TEST_KEEPS": ",".join(kept),
            **kept,
        }
        command = [sys.executable, "-m", "gaiweb.embedded.worker"]
        with log.open("wb") as sink:
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=sink, stderr=sink)
        try:
            yield cls(process, broker, log)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(20)


@dataclass
class World:
    """One journey's own team and key; the routes it adds lead to the fake provider."""

    server: Server
    upstream: FakeUpstream
    team: Team
    user: User
    key: Any
    secret: str
    books: psycopg.Connection[tuple[Any, ...]]
    clients: list[httpx.Client] = field(default_factory=list)

    def close(self) -> None:
        for client in self.clients:
            client.close()

    @classmethod
    def made(cls, server: Server, upstream: FakeUpstream, books: Any) -> World:
        number = next(_numbers)
        team = Team.objects.create(name=f"Team {number}", slug=f"team-{number}")
        user = User.objects.create_user(f"ben{number}@example.org")
        Membership.objects.create(team=team, user=user)
        key, secret = virtual_keys.issue(user=user, team=team, name="journey")
        return cls(server, upstream, team, user, key, secret, books)

    def route(
        self,
        *models: str,
        max_output: int = 100,
        priced: bool = True,
        kind: str = "openai_chat",
    ) -> str:
        """Add a route over models of the fake provider; their names say how they behave."""
        number = next(_numbers)
        catalog.add_provider(
            name=f"fake-{number}",
            kind=kind,
            base_url=self.upstream.url_of(kind),
            is_local=True,
            secret="sk-canary-of-the-provider",
        )
        name = f"route-{number}"
        catalog.add_route(
            name=name,
            targets=[f"fake-{number}/{model}" for model in models],
            prices=PRICE if priced else None,
            max_output=max_output,
        )
        connection.close()
        eventually(lambda: name in self.models())
        return name

    def batch(self, route: str, *prompts: str) -> BatchJob:
        """Start one of the world's person, paid by its team."""
        found = [Prompt(text, "", "", line) for line, text in enumerate(prompts, 1)]
        wanted = batches.Wanted("journey", Choices(route, temperature=1.0), found)
        made = batches.make((self.user, self.team), wanted, None)
        batches.start(made, timezone.now())
        connection.close()
        return made

    def budget(self, limit_usd: Decimal) -> None:
        budgets.set_budget(
            scope=budgets.parse_scope(f"key:{self.key.prefix}"),
            limit_usd=limit_usd,
            period="total",
            is_hard=True,
        )
        connection.close()

    def models(self) -> list[str]:
        return [model.id for model in self.client().models.list()]

    def client(self, **fields: Any) -> OpenAI:
        http = httpx.Client(trust_env=False, timeout=20)
        self.clients.append(http)
        defaults: dict[str, Any] = {"api_key": self.secret, "http_client": http}
        return OpenAI(base_url=self.server.url + "/v1", **{**defaults, **fields})

    def async_client(self, **fields: Any) -> AsyncOpenAI:
        limits = httpx.Limits(max_connections=None)
        http = httpx.AsyncClient(trust_env=False, limits=limits, timeout=30)
        return AsyncOpenAI(
            base_url=self.server.url + "/v1",
            api_key=self.secret,
            http_client=http,
            max_retries=0,
            **fields,
        )

    def post(
        self,
        body: Any = None,
        path: str = "/v1/chat/completions",
        headers: Mapping[str, str] | None = None,
        **fields: Any,
    ) -> httpx.Response:
        """One request without the SDK."""
        sent = {"authorization": f"Bearer {self.secret}", **(headers or {})}
        with httpx.Client(trust_env=False, timeout=20) as http:
            return http.post(self.server.url + path, json=body, headers=sent, **fields)

    def entries(self, number: int) -> list[tuple[Any, ...]]:
        """Wait until `number` attempts of this key are booked, in order."""

        def booked() -> list[tuple[Any, ...]]:
            found = self.books.execute(
                "SELECT model, status, error_code, input_tokens, output_tokens, is_estimated, "
                "cost_nano FROM providers_entry WHERE key_id = %s ORDER BY at, attempt",
                [self.key.pk],
            ).fetchall()
            return found if len(found) >= number else []

        return eventually(booked)  # type: ignore[no-any-return]

    def held_nano(self) -> int:
        row = self.books.execute(
            "SELECT coalesce(sum(w.held_nano), 0)::bigint FROM providers_budgetwindow w "
            "JOIN providers_budget b ON b.id = w.budget_id WHERE b.key_id = %s",
            [self.key.pk],
        ).fetchone()
        assert row is not None
        return int(row[0])

    def spent_nano(self) -> int:
        row = self.books.execute(
            "SELECT coalesce(sum(cost_nano), 0)::bigint FROM providers_entry WHERE key_id = %s",
            [self.key.pk],
        ).fetchone()
        assert row is not None
        return int(row[0])

    def settled(self) -> None:
        """Wait until nothing of this key is open, and prove the books."""
        eventually(
            lambda: (
                not self.books.execute(
                    "SELECT 1 FROM providers_reservation WHERE key_id = %s AND settled_at IS NULL",
                    [self.key.pk],
                ).fetchall()
            )
        )
        assert self.held_nano() == 0
        result = check.run()
        connection.close()
        assert result.is_clean, result
