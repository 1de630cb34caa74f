"""The pages of who operates and who pays, before the real server."""

from __future__ import annotations

import csv
import json
import re
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser import server as servers
from tests.browser.server import Server
from tests.upstream import FakeUpstream

_PHONE = {"width": 390, "height": 844}
_WORLD = """
import json, os
from importlib import import_module
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.core.management import call_command
from providers.models import Team, User
from providers.people import accounts
os.environ["KEY"] = "sk-fake"
owner = accounts.bootstrap(
    email="ada@example.org", password="a long pass phrase", team="Search"
).owner
for words in {commands!r}:
    call_command(*words)
from providers import virtual_keys
_, secret = virtual_keys.issue(user=owner, team=Team.objects.get(), name="laptop")
session = import_module(settings.SESSION_ENGINE).SessionStore()
session[SESSION_KEY] = str(owner.pk)
session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
session[HASH_SESSION_KEY] = owner.get_session_auth_hash()
session.save()
print(json.dumps([secret, settings.SESSION_COOKIE_NAME, session.session_key]))
"""


@dataclass(frozen=True)
class House:
    server: Server
    secret: str
    cookie: str
    session: str

    def wait_for(self, *routes: str) -> None:
        """Wait until the server has heard of them."""
        request = urllib.request.Request(
            f"{self.server.url}/v1/models", headers={"Authorization": f"Bearer {self.secret}"}
        )
        until = time.monotonic() + 20
        while True:
            with urllib.request.urlopen(request, timeout=20) as answer:
                known = {model["id"] for model in json.load(answer)["data"]}
            if known >= set(routes):
                return
            assert time.monotonic() < until, f"only {known} became known"
            time.sleep(0.1)

    def ask(self, route: str) -> None:
        body = {"model": route, "messages": [{"role": "user", "content": "Foxes?"}]}
        request = urllib.request.Request(
            f"{self.server.url}/v1/chat/completions",
            json.dumps(body).encode(),
            {"Authorization": f"Bearer {self.secret}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert answer.status == 200


@pytest.fixture(scope="module")
def house(data_dir: Path, upstream: FakeUpstream) -> Iterator[House]:
    """Run a server of its own: two deployments, one of them down, and some traffic."""
    price = ("--input-price", "1", "--output-price", "10", "--max-output", "2000")
    fake = ("--kind", "openai_chat", "--local", "--base-url", upstream.openai_url)
    commands = [
        ("provider", "add", "demo", "--kind", "demo"),
        ("route", "add", "demo", "--to", "demo/demo"),
        ("provider", "add", "fake", *fake, "--key-env", "KEY"),
        ("route", "add", "safe", "--to", "fake/down-503", "--to", "fake/fox", *price),
    ]
    with servers.running(data_dir, "operator") as server:
        house = House(server, *server.python(_WORLD.format(commands=commands)))
        house.wait_for("demo", "safe")
        for route in ("safe", "safe", "demo"):
            house.ask(route)
        yield house


@pytest.fixture
def owners(house: House, context: BrowserContext) -> Page:
    cookie, url = house.cookie, house.server.url
    context.add_cookies([{"name": cookie, "value": house.session, "url": url}])
    return context.new_page()


@pytest.fixture
def url(house: House) -> str:
    return house.server.url


def test_health_tells_who_fails_and_when_it_is_tried_again(
    owners: Page, url: str, house: House
) -> None:
    # On a slow machine the first rest may be over: one more failure begins the next.
    house.ask("safe")
    owners.goto(f"{url}/health/")

    failing = owners.get_by_role("article", name="fake/down-503")
    expect(failing).to_contain_text("Resting")
    expect(failing.locator("count-down")).to_have_text(re.compile(r"\d+ s"))
    expect(failing).to_contain_text("The provider was not reached, or failed (503)")
    expect(owners.get_by_role("article", name="fake/fox")).to_contain_text("few samples")
    expect(owners.locator(".verdict")).to_contain_text("75.0\u00a0% were answered by a fallback")
    expect(owners.locator(".bar .system")).to_contain_text("Degraded")


def test_health_asks_again_by_itself_and_leaves_the_focus(owners: Page, url: str) -> None:
    owners.goto(f"{url}/health/")
    button = owners.get_by_role("article", name="demo/demo").get_by_role("button")
    button.focus()
    stamp = owners.locator(".stamp time")
    before = stamp.inner_text()

    expect(stamp).not_to_have_text(before)

    expect(button).to_be_focused()


def test_a_page_that_cannot_ask_says_so_until_it_can(
    owners: Page, url: str, faults: list[str]
) -> None:
    owners.goto(f"{url}/health/")
    late = owners.get_by_text("not reached since, trying again")
    expect(late).to_be_hidden()

    owners.context.set_offline(True)
    expect(late).to_be_visible()
    owners.context.set_offline(False)

    expect(late).to_be_hidden()
    faults.clear()


def test_a_deployment_is_tested_at_a_press(owners: Page, url: str) -> None:
    owners.goto(f"{url}/health/")

    owners.get_by_role("button", name="Test now demo/demo").click()

    expect(owners.get_by_role("status")).to_contain_text("demo/demo: It works")
    expect(owners.get_by_role("article", name="demo/demo")).to_contain_text("Answered in")


def test_costs_add_up_in_bars_table_and_file(owners: Page, url: str, tmp_path: Path) -> None:
    owners.goto(f"{url}/costs/?by=model")
    spend = owners.locator(".tile .value").first.inner_text()

    expect(owners.get_by_role("img", name=f"{spend} in total")).to_be_visible()
    owners.get_by_text("View as table").click()
    expect(owners.get_by_role("region", name="as a table").locator("tfoot")).to_contain_text(spend)
    with owners.expect_download() as download:
        owners.get_by_role("link", name="Download CSV").click()
    download.value.save_as(tmp_path / "costs.csv")

    with (tmp_path / "costs.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert {line["model"] for line in lines} == {"down-503", "fox", "demo"}
    assert f"${sum(float(line['cost_usd'] or 0) for line in lines):.6f}".startswith(spend)


def test_other_days_are_chosen_without_a_script(owners: Page, url: str) -> None:
    owners.goto(f"{url}/costs/")
    owners.get_by_text("Other days").click()
    owners.get_by_label("First day").fill("2026-01-01")
    owners.get_by_label("Last day").fill("2026-01-31")
    owners.get_by_role("button", name="Show").click()

    expect(owners.get_by_role("heading", name="Nothing was spent in this period")).to_be_visible()
    expect(owners.locator(".page-head")).to_contain_text("1 Jan to 31 Jan 2026")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "path",
    [
        "/health/",
        "/health/level/",
        "/health/breaker/1/",
        "/api/v1/docs/",
        "/costs/",
        "/costs/?period=today&by=user",
    ],
)
def test_the_pages_fit_a_phone_and_are_accessible(
    owners: Page, url: str, axe: Callable[[Page], None], path: str, scheme: str
) -> None:
    owners.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for size in (_PHONE, {"width": 1280, "height": 800}):
        owners.set_viewport_size({"width": size["width"], "height": size["height"]})
        owners.goto(f"{url}{path}")
        expect(owners.locator("h1")).to_be_visible()
        wide = owners.evaluate("document.documentElement.scrollWidth")
        assert wide <= size["width"]
        axe(owners)


@pytest.mark.parametrize("table", ["", "providers/entry/", "providers/organisation/1/change/"])
def test_the_raw_tables_keep_to_the_content_policy(owners: Page, url: str, table: str) -> None:
    owners.goto(f"{url}/-/admin/{table}")

    expect(owners.locator("#site-name")).to_contain_text("raw tables")
