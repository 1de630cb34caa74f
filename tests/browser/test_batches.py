"""A batch as its user meets it: sent as a file, started, watched, fetched as a table."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.server import Server

WORK = "from conversations.batches import desk; desk.work(); print('null')"
"""What a worker does when the bell rings; this server has none."""


def test_a_file_becomes_a_table_of_answers(
    page: Page, server: Server, axe: Callable[[Page], None], tmp_path: Path, faults: list[str]
) -> None:
    page.goto(f"{server.url}/playground/")
    page.get_by_role("link", name="Batches").first.click()
    page.get_by_role("link", name="New batch").first.click()
    prompts = tmp_path / "capitals.csv"
    prompts.write_text("id,prompt\n1,Name the capital of France.\n2,\n")
    page.get_by_label("File", exact=True).set_input_files(prompts)
    page.get_by_label("Model").select_option("demo")
    page.get_by_label("Max tokens").fill("30")
    page.get_by_role("button", name="Check the prompts").click()
    expect(page.get_by_role("alert")).to_contain_text("Line 3: the prompt is empty.")
    # The browser tells its console of every answer that is a refusal.
    faults.clear()
    axe(page)

    prompts.write_text("id,prompt\n1,Name the capital of France.\n2,And of Italy?\n")
    page.get_by_label("File", exact=True).set_input_files(prompts)
    page.get_by_role("button", name="Check the prompts").click()
    expect(page.get_by_role("heading", name="capitals.csv")).to_be_visible()
    expect(page.locator(".tile").first).to_contain_text("2")
    axe(page)
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_text("0 of 2")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    axe(page)

    server.python(WORK)
    # The page has asked by itself.
    expect(page.get_by_text("2 of 2")).to_be_visible()
    expect(page.locator(".badge").get_by_text("Done")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    axe(page)
    with page.expect_download() as fetched:
        page.get_by_role("link", name="Results as CSV").click()
    with fetched.value.path().open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["id"], row["state"], bool(row["answer"])) for row in rows] == [
        ("1", "done", True),
        ("2", "done", True),
    ]
