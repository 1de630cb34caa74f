"""A browser before the real server. A fault on the console, CSP included, fails the test."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser import server as servers
from tests.browser.server import Server
from tests.upstream import FakeUpstream

# An answer of the demo takes four seconds, and a test machine may be busy.
expect.set_options(timeout=20_000)

CHROMIUM = Path("/usr/bin/chromium")
PASSWORD = "a long pass phrase"
PEOPLE = 80
DEMO_ROUTES = ("demo", "demo-tools", "demo-json", "demo-reasoning")
FAKE_MODELS = ("held", "slow", "cut", "hold")

_CATALOG = """
import os
from django.core.management import call_command
os.environ["KEY"] = "sk-fake"
for words in {commands!r}:
    call_command(*words)
"""

_SET_UP = """
import json
from importlib import import_module
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from providers.models import Membership, Team, User
Store = import_module(settings.SESSION_ENGINE).SessionStore
team = Team.objects.create(name="Search", slug="search")
people = []
for n in range({people}):
    user = User(email=f"person{{n}}@example.org", active_team=team)
    user.set_unusable_password()
    user.save()
    Membership.objects.create(team=team, user=user, role="member")
    session = Store()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    people.append([user.email, session.session_key])
print(json.dumps([settings.SESSION_COOKIE_NAME, people]))
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if not CHROMIUM.exists():
                item.add_marker(pytest.mark.skip(reason=f"{CHROMIUM} is not installed"))


@pytest.fixture(scope="package")
def data_dir(tmp_path_factory: pytest.TempPathFactory, embedded_postgres: None) -> Path:
    """Have a folder for what servers keep, with the static files collected."""
    data_dir = tmp_path_factory.mktemp("browser")
    Server("postgres", data_dir).python(
        "from gaiweb.static import collect_if_changed; collect_if_changed()"
    )
    return data_dir


@pytest.fixture(scope="package")
def upstream() -> Iterator[FakeUpstream]:
    with FakeUpstream.serve() as fake:
        yield fake


@pytest.fixture(scope="package")
def server(data_dir: Path, upstream: FakeUpstream) -> Iterator[Server]:
    """Run one with a team, a budget, the demo, and routes to a provider with faults to order."""
    with servers.running(data_dir, "shared") as server:
        server.python(_CATALOG.format(commands=_commands(upstream)) + 'print("null")')
        yield server


def _commands(upstream: FakeUpstream) -> list[tuple[str, ...]]:
    price = ("--input-price", "1", "--output-price", "10", "--max-output", "2000")
    fake = ("--kind", "openai_chat", "--local", "--base-url", upstream.openai_url)
    return [
        ("provider", "add", "demo", "--kind", "demo"),
        *[("route", "add", name, "--to", f"demo/{name}") for name in DEMO_ROUTES],
        ("provider", "add", "fake", *fake, "--key-env", "KEY"),
        *[("route", "add", name, "--to", f"fake/{name}", *price) for name in FAKE_MODELS],
        ("route", "add", "safe", "--to", "fake/down-503", "--to", "fake/fox", *price),
        ("budget", "set", "--scope", "org", "--limit", "20", "--period", "month", "--hard"),
    ]


@pytest.fixture(scope="package")
def people(server: Server) -> tuple[str, Iterator[tuple[str, str]]]:
    cookie, people = server.python(_SET_UP.format(people=PEOPLE))
    return cookie, iter([(email, session) for email, session in people])


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    # A running loop of Playwright's would be in the way of async tests: it ends with this folder.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture
def faults() -> list[str]:
    """Collect what the console should not have said; a test that provokes it removes it."""
    return []


@pytest.fixture
def context(chromium: Browser, faults: list[str]) -> Iterator[BrowserContext]:
    context = chromium.new_context(
        viewport={"width": 1280, "height": 800},
        # Drawing what moves is most of what a browser without a graphics card does.
        reduced_motion="reduce",
    )
    context.set_default_timeout(20_000)

    def watch(page: Page) -> None:
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on(
            "console",
            lambda said: faults.append(said.text) if said.type == "error" else None,
        )

    context.on("page", watch)
    yield context
    context.close()
    assert not faults


@pytest.fixture
def sign_in(
    server: Server, people: tuple[str, Iterator[tuple[str, str]]]
) -> Callable[[BrowserContext], str]:
    """Somebody new of the team is signed in in this context; answers the e-mail address."""
    cookie, rest = people

    def as_somebody(context: BrowserContext) -> str:
        email, session = next(rest)
        context.add_cookies([{"name": cookie, "value": session, "url": server.url}])
        return email

    return as_somebody


@pytest.fixture
def page(context: BrowserContext, sign_in: Callable[[BrowserContext], str]) -> Page:
    sign_in(context)
    return context.new_page()


@pytest.fixture
def axe() -> Callable[[Page], None]:
    """Assert that axe finds nothing serious on the page as it is."""
    from axe_playwright_python.sync_playwright import Axe

    def check(page: Page) -> None:
        found = Axe().run(page).response["violations"]
        serious = [fault for fault in found if fault["impact"] in {"serious", "critical"}]
        assert not serious, json.dumps(
            [(f["id"], [n["html"][:300] for n in f["nodes"]]) for f in serious], indent=1
        )

    return check
