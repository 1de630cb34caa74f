"""From the set-up link to the first words of an answer, as a new owner meets it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser import server as servers
from tests.browser.server import Server
from tests.upstream import FakeUpstream

_LINK = """
import json
from providers.people import accounts
print(json.dumps(accounts.setup_link()))
"""


@pytest.fixture
def fresh(data_dir: Path) -> Iterator[Server]:
    """Run a server that nobody owns yet."""
    with servers.running(data_dir, "wizard") as server:
        yield server


@pytest.fixture
def visitor(context: BrowserContext) -> Page:
    return context.new_page()


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def test_a_new_owner_reads_the_first_words_within_a_minute_by_keyboard_alone(
    fresh: Server, visitor: Page
):
    link = fresh.python(_LINK)
    started = time.monotonic()
    visitor.goto(f"{fresh.url}{link}")
    visitor.keyboard.type("ada@example.org")
    press(visitor, "Tab")
    visitor.keyboard.type("a long pass phrase")
    press(visitor, "Enter")
    expect(visitor.get_by_role("radio", name="Demo provider")).to_be_checked()
    press(visitor, "Tab", "Enter")
    expect(visitor.get_by_label("US dollars a month")).to_have_value("20")
    press(visitor, "Tab", "Enter")
    expect(visitor.get_by_role("button", name="Run")).to_be_focused()
    press(visitor, "Enter")
    expect(visitor.locator("run-stream .prose")).not_to_be_empty()

    assert time.monotonic() - started < 60


def test_every_step_is_sound_for_assistive_technology(
    fresh: Server, visitor: Page, axe: Callable[[Page], None]
):
    visitor.goto(f"{fresh.url}{fresh.python(_LINK)}")
    axe(visitor)
    visitor.get_by_label("E-mail address").fill("ada@example.org")
    visitor.get_by_label("Password").fill("a long pass phrase")
    visitor.get_by_role("button", name="Make my account").click()
    visitor.get_by_text("OpenAI-compatible").click()
    axe(visitor)
    visitor.get_by_role("link", name="Skip for now").click()
    axe(visitor)
    visitor.set_viewport_size({"width": 390, "height": 800})
    visitor.emulate_media(color_scheme="dark")
    for step in ("provider", "budget"):
        visitor.goto(f"{fresh.url}/setup/{step}/")
        axe(visitor)
        assert visitor.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_pasted_key_chooses_its_card_and_is_tested_at_once(
    fresh: Server, visitor: Page, upstream: FakeUpstream
):
    fresh.manage(
        "bootstrap", "--email", "ada@example.org", "--password-env", "P", P="a long pass phrase"
    )
    visitor.goto(f"{fresh.url}/sign-in/?next=/setup/provider/")
    visitor.get_by_label("E-mail address").fill("ada@example.org")
    visitor.get_by_label("Password").fill("a long pass phrase")
    visitor.get_by_role("button", name="Sign in").click()

    visitor.get_by_text("OpenAI", exact=True).click()
    visitor.get_by_label("API key").fill("sk-ant-")
    expect(visitor.get_by_role("radio", name="Anthropic")).to_be_checked()
    expect(visitor.get_by_label("Model to begin with")).to_have_value("claude-haiku-4-5")

    visitor.get_by_text("OpenAI-compatible").click()
    visitor.get_by_label("Base URL").fill(upstream.openai_url)
    visitor.get_by_label("It is in my own network").check()
    visitor.get_by_label("API key").fill("wrong")
    expect(visitor.get_by_text("refused the key")).to_be_visible()
    visitor.get_by_label("API key").fill("sk-good")
    expect(visitor.get_by_text("It works")).to_be_visible()
    visitor.get_by_label("Model to begin with").fill("fox")
    visitor.get_by_role("button", name="Continue").click()
    expect(visitor.get_by_role("heading", name="Set a guard rail")).to_be_visible()
