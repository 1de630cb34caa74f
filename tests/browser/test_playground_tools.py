"""Tools, JSON, thoughts and pictures in the playground, as their user meets them."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.server import Server
from tests.browser.test_playground import ask, final, open_playground
from tests.upstream import FakeUpstream

SCHEMA = {
    "type": "object",
    "required": ["city", "days"],
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 3}},
}


def a_png(size: int = 24) -> bytes:
    """Make a small picture of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    rows = b"".join(b"\x00" + b"\x22\x88\x77" * size for _ in range(size))
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def open_tuning(page: Page) -> None:
    page.locator(".tuning > summary").click()


def test_a_tool_is_switched_on_called_and_shown_with_its_result(
    page: Page, server: Server, axe: Callable[[Page], None]
) -> None:
    open_playground(page, server)
    open_tuning(page)
    page.get_by_label("calculator").check()
    expect(page.locator("[data-tuning]")).to_have_text("calculator")
    ask(page, "What is 12 * (3 + 4)?", "demo-tools")

    answer = final(page)
    call = answer.locator(".steps .call")
    expect(call).to_contain_text("calculator")
    expect(call).to_contain_text("84")
    expect(answer.locator(".steps .ended")).to_have_count(2)
    expect(answer.locator(".prose")).to_contain_text("84")
    call.locator("summary").click()
    expect(call.locator("pre").first).to_contain_text("12 * (3 + 4)")
    axe(page)
    # The thread keeps what was chosen.
    page.reload()
    open_tuning(page)
    expect(page.get_by_label("calculator")).to_be_checked()
    expect(final(page).locator(".steps .call")).to_contain_text("84")


def test_a_long_call_stays_within_a_phone(page: Page, server: Server) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    open_playground(page, server)
    open_tuning(page)
    page.get_by_label("calculator").check()
    ask(page, f"What is {' + '.join(['1234567'] * 12)}?", "demo-tools")

    expect(final(page).locator(".steps .call")).to_contain_text("14814804")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_an_answer_is_json_to_a_schema_and_a_bad_schema_loses_nothing(
    page: Page, server: Server, faults: list[str]
) -> None:
    open_playground(page, server)
    open_tuning(page)
    page.get_by_label("Answer as").select_option("schema")
    page.get_by_label("JSON Schema of the answer").fill("{")
    ask(page, "Weather in Zürich", "demo-json")
    refusal = page.locator("[data-refusal]")
    expect(refusal).to_contain_text("This is not JSON")
    expect(page.get_by_label("Message", exact=True)).to_have_value("Weather in Zürich")
    faults[:] = [fault for fault in faults if "422" not in fault]

    page.get_by_label("JSON Schema of the answer").fill(json.dumps(SCHEMA))
    page.get_by_role("button", name="Run").click()
    answer = final(page)
    expect(answer.locator(".badge")).to_have_text("JSON, checked")
    said = json.loads(answer.locator("pre.code").inner_text())
    assert said == {"city": "Weather in Zürich", "days": 3}


def test_thoughts_are_shown_apart_from_the_answer(page: Page, server: Server) -> None:
    open_playground(page, server)
    ask(page, "Why is the sky blue?", "demo-reasoning")
    answer = final(page)
    answer.locator("details.reasoning summary").click()
    expect(answer.locator("details.reasoning")).to_contain_text("I choose an opening")
    expect(answer.locator(".prose")).not_to_contain_text("I choose an opening")


def test_pictures_go_with_the_message_and_are_there_after_a_reload(
    page: Page, server: Server, upstream: FakeUpstream, tmp_path: Path
) -> None:
    picture = tmp_path / "green.png"
    picture.write_bytes(a_png())
    open_playground(page, server)
    page.locator("input[type=file]").set_input_files([picture, picture])
    expect(page.locator(".picked img")).to_have_count(2)
    page.get_by_role("button", name="Leave out green.png").first.click()
    expect(page.locator(".picked img")).to_have_count(1)
    ask(page, "What colour is this?", "safe")

    expect(final(page)).to_contain_text("quick brown fox")
    sent = upstream.calls[-1].body["messages"][-1]["content"]
    assert [part["type"] for part in sent] == ["text", "image_url"]
    assert sent[1]["image_url"]["url"].startswith("data:image/png;base64,")
    expect(page.locator(".picked img")).to_have_count(0)
    page.reload()
    shown = page.locator(".question .pictures img")
    expect(shown).to_have_count(1)
    # The browser has the picture, and it is the one that was sent.
    assert shown.evaluate("image => image.decode().then(() => image.naturalWidth)") == 24


def test_what_is_no_picture_is_refused_with_words(
    page: Page, server: Server, tmp_path: Path, faults: list[str]
) -> None:
    trick = tmp_path / "page.png"
    trick.write_text("<script>alert(1)</script>")
    open_playground(page, server)
    page.locator("input[type=file]").set_input_files(trick)
    ask(page, "Look", "safe")
    expect(page.locator("[data-refusal]")).to_contain_text("page.png is no PNG")
    faults[:] = [fault for fault in faults if "422" not in fault]


@pytest.mark.parametrize("width", [390, 1280])
def test_the_open_settings_fit_the_page(page: Page, server: Server, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    open_playground(page, server)
    open_tuning(page)
    page.get_by_label("Answer as").select_option("schema")
    wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert not wide
    expect(page.get_by_role("button", name="Run")).to_be_in_viewport()


def test_an_answer_from_the_cache_says_so_and_costs_nothing(page: Page, server: Server) -> None:
    for _ in range(2):
        open_playground(page, server)
        open_tuning(page)
        page.get_by_label("Temperature").fill("0")
        ask(page, "What is kept is not asked again", "slow")
        expect(final(page).locator(".figures")).to_contain_text("Cost")
    answer = final(page)
    expect(answer.locator(".badge")).to_have_text("From the cache")
    expect(answer).to_contain_text("It cost nothing")
    expect(answer.locator(".figures")).to_contain_text("$0.00")
