"""The cost explorer in a browser: links that can be sent to somebody, also to a phone."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.test_operator import house, owners, url

__all__ = ["house", "owners", "url"]


def test_costs_are_explored_by_links_that_can_be_sent_to_somebody(owners: Page, url: str) -> None:
    owners.goto(f"{url}/costs/")
    owners.get_by_role("navigation", name="Group by").get_by_role("link", name="Model").click()
    table = owners.get_by_role("region", name="By model")
    table.get_by_role("link", name="Requests").click()
    expect(table.get_by_role("columnheader", name="Requests")).to_have_attribute(
        "aria-sort", "descending"
    )
    expect(owners.get_by_role("region", name="Dearest requests")).to_contain_text("safe")
    table.get_by_role("link", name="fox").click()
    chip = owners.get_by_role("link", name="Take away the filter model: fox")
    expect(chip).to_be_visible()

    owners.set_viewport_size({"width": 390, "height": 800})
    owners.goto(owners.url)
    expect(owners.get_by_role("columnheader", name="Change").first).to_be_visible()
    assert owners.evaluate("document.documentElement.scrollWidth") <= 390
    chip.click()
    expect(chip).to_have_count(0)


def test_an_owner_makes_statements_and_reads_that_there_are_none(owners: Page, url: str) -> None:
    owners.goto(f"{url}/costs/")
    owners.get_by_role("link", name="Statements").click()
    expect(owners.get_by_role("heading", name="No statement yet")).to_be_visible()
    owners.get_by_role("button", name="Make its statements").click()
    expect(owners.get_by_text("No team asked for anything in")).to_be_visible()
