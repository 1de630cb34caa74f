"""The settings as an owner uses them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser import server as servers
from tests.browser.server import Server
from tests.upstream import FakeUpstream

SECTIONS = (
    *("providers", "credentials", "routes", "budgets", "tools", "keys", "policies"),
    *("cache", "members", "audit", "prices"),
)
FORMS = (
    *(
        "providers/new",
        "credentials/new",
        "routes/new",
        "budgets/new",
        "members/team/new",
        "members/team",
    ),
    *("tools/new/https", "tools/new/mock", "tools/new/rows"),
)
LISTED = {
    "providers": "Edit demo",
    "routes": "Edit fast",
    "tools": "Edit calculator",
    "prices": "Price of openai/gpt-4o-mini",
}
"""Pages of one thing, by the link that leads there."""

_OWNER = """
import json, os
from importlib import import_module
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.core.management import call_command
from providers.people import accounts
owner = accounts.bootstrap(email="ada@example.org", password="a long pass phrase").owner
os.environ["KEY"] = "sk-" + "x" * 40
for words in (
    "provider add openai --kind openai_chat --key-env KEY",
    "provider add demo --kind demo",
    "route add fast --to openai/gpt-4o-mini --to demo/demo",
    "route add mystery --to openai/never-heard-of",
    "price set openai/gpt-4o-mini --input 0.1 --output 0.5 --source Contract",
    "price set openai/gpt-4o-mini --input 0.2 --output 1 --source Contract --from 2999-01-01",
    "budget set --scope org --limit 20 --period month --hard",
    "key issue --user ada@example.org --name laptop",
    "member add --email ben@example.org --team our-team --role member",
):
    call_command(*words.split())
session = import_module(settings.SESSION_ENGINE).SessionStore()
session[SESSION_KEY] = str(owner.pk)
session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
session[HASH_SESSION_KEY] = owner.get_session_auth_hash()
session.save()
print(json.dumps([settings.SESSION_COOKIE_NAME, session.session_key]))
"""


@pytest.fixture(scope="module")
def owned(data_dir: Path) -> Iterator[tuple[Server, dict[str, str]]]:
    """Run a server with something in every section; the cookie is the owner's."""
    with servers.running(data_dir, "settings") as server:
        name, value = server.python(_OWNER)
        yield server, {"name": name, "value": value, "url": server.url}


@pytest.fixture
def owner(context: BrowserContext, owned: tuple[Server, dict[str, str]]) -> Page:
    context.add_cookies([owned[1]])  # type: ignore[list-item]
    return context.new_page()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_every_page_is_sound_in_both_themes_and_fits_a_phone(
    owned: tuple[Server, dict[str, str]],
    owner: Page,
    axe: Callable[[Page], None],
    scheme: str,
    width: int,
):
    owner.set_viewport_size({"width": width, "height": 800})
    owner.emulate_media(color_scheme=scheme)
    for path in SECTIONS + FORMS:
        owner.goto(f"{owned[0].url}/settings/{path}/")
        axe(owner)
        assert owner.evaluate("document.documentElement.scrollWidth") <= width, path
        if path in LISTED:
            owner.get_by_role("link", name=LISTED[path]).click()
            owner.wait_for_url(f"**/{path}/*/")
            axe(owner)
            assert owner.evaluate("document.documentElement.scrollWidth") <= width, path


def test_every_section_is_in_sight_on_a_phone(owned: tuple[Server, dict[str, str]], owner: Page):
    owner.set_viewport_size({"width": 390, "height": 800})
    owner.goto(f"{owned[0].url}/settings/members/")
    for link in owner.get_by_role("navigation", name="Settings").get_by_role("link").all():
        box = link.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390, link.text_content()


def test_a_fault_keeps_the_input_and_takes_the_cursor_to_its_field(
    owned: tuple[Server, dict[str, str]], owner: Page, faults: list[str]
):
    owner.goto(f"{owned[0].url}/settings/budgets/new/")
    owner.get_by_label("Limit in US dollars").fill("-5")
    owner.get_by_label("Starts anew").select_option("week")
    owner.get_by_role("button", name="Set the budget").click()

    limit = owner.get_by_label("Limit in US dollars")
    expect(limit).to_be_focused()
    expect(limit).to_have_value("-5")
    expect(limit).to_have_attribute("aria-invalid", "true")
    expect(owner.get_by_label("Starts anew")).to_have_value("week")
    limit.fill("5")
    owner.get_by_role("button", name="Set the budget").click()
    expect(owner.get_by_text("The budget is in force.")).to_be_visible()
    # The browser itself reports a 422 as a resource that failed.
    faults[:] = [fault for fault in faults if "422" not in fault]


def test_targets_are_put_in_order_by_keyboard(owned: tuple[Server, dict[str, str]], owner: Page):
    owner.goto(f"{owned[0].url}/settings/routes/")
    owner.get_by_role("link", name="Edit fast").press("Enter")
    owner.get_by_role("button", name="Move target 2 up").press("Enter")
    expect(owner.get_by_label("Model").first).to_have_value("demo")
    owner.get_by_role("button", name="Save", exact=True).press("Enter")
    expect(owner.get_by_text("fast is saved and in force.")).to_be_visible()
    expect(owner.locator(".rows > li").filter(has_text="fast").locator("li").first).to_contain_text(
        "demo/demo"
    )


def test_a_provider_is_tested_live_from_the_list(owned: tuple[Server, dict[str, str]], owner: Page):
    owner.goto(f"{owned[0].url}/settings/providers/")
    row = owner.locator(".rows > li").filter(has_text="Demo (built in")
    owner.get_by_role("button", name="Test demo").click()

    expect(row.get_by_text("It works")).to_be_visible()
    expect(row.locator(".badge")).to_have_text("Answers")


def test_a_new_key_is_shown_once_ready_to_copy(owned: tuple[Server, dict[str, str]], owner: Page):
    owner.goto(f"{owned[0].url}/settings/keys/")
    owner.get_by_label("Name").fill("from the browser")
    owner.get_by_role("button", name="Make a key").click()
    expect(owner.locator("#once")).to_contain_text("gai_")
    expect(owner.get_by_role("button", name="Copy the key")).to_be_visible()
    owner.goto(f"{owned[0].url}/settings/keys/")
    expect(owner.locator("#once")).to_have_count(0)


def test_a_role_is_changed_from_the_menu(owned: tuple[Server, dict[str, str]], owner: Page):
    owner.goto(f"{owned[0].url}/settings/members/")
    row = owner.locator(".rows > li").filter(has_text="ben@example.org")
    row.locator("summary").press("Enter")
    row.get_by_role("button", name="Viewer").click()

    expect(owner.get_by_text("ben@example.org is viewer now.")).to_be_visible()


def test_a_provider_key_is_rotated_only_to_one_that_works(
    owned: tuple[Server, dict[str, str]], owner: Page, upstream: FakeUpstream, faults: list[str]
):
    server = owned[0]
    words = ("--kind", "openai_chat", "--local", "--base-url", upstream.openai_url)
    server.manage("provider", "add", "acme", *words, "--key-env", "OLD", OLD="sk-old-" + "o" * 20)
    owner.goto(f"{server.url}/settings/credentials/")
    owner.get_by_role("link", name="Rotate acme …oooo").click()
    key = owner.get_by_label("API key")
    key.fill("sk-this-is-wrong")
    owner.get_by_role("button", name="Try and rotate").click()
    expect(owner.get_by_text("The provider refused the key.")).to_be_visible()
    expect(key).to_be_focused()

    key.fill("sk-new-" + "n" * 20)
    owner.get_by_label("The old key stands in for").select_option("a day")
    owner.get_by_role("button", name="Try and rotate").click()
    expect(owner.get_by_text("Prompts go to acme with the new key.")).to_be_visible()
    rows = owner.locator(".rows > li").filter(has_text="acme")
    expect(rows.filter(has_text="…oooo")).to_contain_text("Stands in until")
    expect(rows.filter(has_text="…nnnn")).to_contain_text("100 % of prompts")
    # The browser itself reports a 422 as a resource that failed.
    faults[:] = [fault for fault in faults if "422" not in fault]
