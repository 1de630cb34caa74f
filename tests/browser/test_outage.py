"""A whole outage as an operator and a user live through it, from `make run` to all clear.

The demo's failing model stands first on a route and gets traffic. GAIWEB_SCREENSHOTS names a folder
for a picture of each stage.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests import databases
from tests.browser.server import ROOT, Server, free_port
from tests.browser.test_playground import ask, final

QUICK = {
    "GAIWEB_DEGRADATION_AUTOMATIC": "true",
    "GAIWEB_DEGRADATION_DWELL_S": "1",
    "GAIWEB_HEALTH_EVERY_S": "0.5",
    "GAIWEB_HEALTH_WINDOW_S": "8",
    "GAIWEB_BREAKER_RESET_S": "2",
    "GAIWEB_BREAKER_LONGEST_REST_S": "3",
    "GAIWEB_BACKOFF_BASE_S": "0.02",
    "GAIWEB_BACKOFF_MAX_S": "0.05",
}
"""An outage of minutes in seconds; nothing else differs."""

_PEOPLE = """
import json
from importlib import import_module
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.core.management import call_command
from providers import virtual_keys
from providers.models import Membership, Team, User
from providers.people import accounts
owner = accounts.bootstrap(
    email="ada@example.org", password="a long pass phrase", team="Search"
).owner
team = Team.objects.get()
ben = User.objects.create_user("ben@example.org", active_team=team)
Membership.objects.create(team=team, user=ben)
call_command("provider", "add", "demo", "--kind", "demo")
call_command("route", "add", "practice", "--to", "demo/demo-503", "--to", "demo/demo")
_, secret = virtual_keys.issue(user=owner, team=team, name="load")
Store = import_module(settings.SESSION_ENGINE).SessionStore
sessions = []
for user in (owner, ben):
    session = Store()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    sessions.append(session.session_key)
print(json.dumps([settings.SESSION_COOKIE_NAME, secret, *sessions]))
"""


@dataclass(frozen=True)
class House:
    url: str
    cookie: str
    secret: str
    operator: str
    member: str

    def enter(self, chromium: Browser, session: str) -> BrowserContext:
        context = chromium.new_context(viewport={"width": 1280, "height": 860})
        context.set_default_timeout(20_000)
        context.add_cookies([{"name": self.cookie, "value": session, "url": self.url}])
        return context

    @contextmanager
    def load(self) -> Iterator[list[int]]:
        """Keep asking, some ten times a second; collects what each answer's status was."""
        statuses: list[int] = []
        over = threading.Event()

        def ask_on() -> None:
            while not over.wait(0.1):
                statuses.append(self._status(len(statuses)))

        thread = threading.Thread(target=ask_on)
        thread.start()
        try:
            yield statuses
        finally:
            over.set()
            thread.join()

    def _status(self, number: int) -> int:
        said = [{"role": "user", "content": f"Question {number}"}]
        request = urllib.request.Request(
            f"{self.url}/v1/chat/completions",
            json.dumps({"model": "practice", "messages": said, "max_tokens": 8}).encode(),
            {"Authorization": f"Bearer {self.secret}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refused:
            return refused.code


@pytest.fixture
def house(embedded_postgres: None, tmp_path: Path) -> Iterator[House]:
    """Start the product as the README says, on a migrated database and with quick clocks."""
    with databases.copied("outage") as database:
        server = Server(database, tmp_path, free_port(), QUICK)
        log = tmp_path / "log"
        with log.open("wb") as sink:
            process = subprocess.Popen(
                ["make", "run"],
                cwd=ROOT,
                env=server.environ,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )
        try:
            server.wait_until_it_answers(process, log)
            yield House(server.url, *server.python(_PEOPLE))
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(60)


@pytest.fixture
def picture(tmp_path: Path) -> Callable[[Page, str], None]:
    folder = Path(os.environ.get("GAIWEB_SCREENSHOTS", tmp_path))

    def take(page: Page, stage: str) -> None:
        page.screenshot(path=folder / f"outage-{stage}.png")

    return take


def test_an_outage_is_seen_explained_survived_and_over(
    house: House, chromium: Browser, picture: Callable[[Page, str], None]
) -> None:
    operator = house.enter(chromium, house.operator)
    member = house.enter(chromium, house.member)
    health, playground = operator.new_page(), member.new_page()
    health.goto(f"{house.url}/health/")
    playground.goto(f"{house.url}/playground/")
    expect(health.locator(".ladder .in-force")).to_contain_text("Full")
    picture(health, "1-calm")

    with house.load() as statuses:
        # The breaker opens, the score falls and says why, the level changes by itself.
        failing = health.locator(".deployment").filter(has_text="demo/demo-503")
        expect(failing).to_contain_text("Open", timeout=40_000)
        expect(failing.locator(".score .sum")).to_contain_text("provider errors")
        expect(health.locator(".level .score .sum")).to_contain_text("100 -")
        expect(health.locator(".ladder .in-force")).to_contain_text("Simplified", timeout=40_000)
        picture(health, "2-breaker-open-and-reduced")

        # The user is told, and answered all the same.
        banner = playground.locator(".banners")
        expect(banner).to_contain_text("limited to 500 tokens", timeout=40_000)
        ask(playground, "Are you there?", "practice")
        expect(final(playground)).to_contain_text("Answered by a fallback")
        expect(final(playground).locator(".badge").first).to_have_text("Reduced mode")
        expect(final(playground)).to_contain_text("answers are limited to 500 tokens")
        picture(playground, "3-user-told-and-answered")
        expect(health.locator(".banners")).to_contain_text("Reduced mode since")

        # The demo recovers; so does everything else, without a hand.
        settings = operator.new_page()
        settings.goto(f"{house.url}/settings/providers/")
        settings.get_by_role("link", name="Edit demo").click()
        settings.get_by_role("button", name="Let them recover").click()
        expect(failing).to_contain_text("Closed", timeout=40_000)
        expect(health.locator(".ladder .in-force")).to_contain_text("Full", timeout=60_000)
        expect(banner).not_to_contain_text("limited to", timeout=40_000)
        picture(health, "4-all-clear")
    assert set(statuses) == {200}, "somebody's prompt failed"
    assert len(statuses) > 20
    for context in (operator, member):
        context.close()
