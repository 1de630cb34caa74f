"""The playground as its user meets it."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.server import Server


def ask(page: Page, text: str, route: str | None = None) -> None:
    if route:
        page.get_by_label("Model").select_option(route)
    page.get_by_label("Message", exact=True).fill(text)
    page.get_by_role("button", name="Run").click()


def test_an_answer_streams_and_is_kept_with_its_figures(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/playground/")
    ask(page, "Tell me about foxes", "demo")
    expect(page.locator("run-stream .prose")).not_to_be_empty()
    expect(page.locator(".figures")).to_contain_text("Cost $0.00")
