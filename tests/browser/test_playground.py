"""The playground as its user meets it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.server import Server
from tests.upstream import TEXT, FakeUpstream

LONG = " ".join(f"word{n} **bold{n}**" for n in range(60))


_HELD = """
from django.db.models import Sum
from providers.models import BudgetWindow
print(BudgetWindow.objects.aggregate(held=Sum("held_nano"))["held"] or 0)
"""
_LONG_PAST = """
from conversations.models import Message
first = Message.objects.get(conversation_id="{thread}", parent=None)
parent = None
for n in range(50):
    parent = Message.objects.create(
        conversation_id="{thread}", parent=parent, role="user", text=f"Old message {{n}}"
    )
Message.objects.filter(pk=first.pk).update(parent=parent)
print("null")
"""


@pytest.fixture(autouse=True)
def _fresh_upstream(upstream: FakeUpstream) -> Iterator[None]:
    yield
    upstream.release()
    upstream.reset()


def ask(page: Page, text: str, route: str | None = None) -> None:
    if route:
        page.get_by_label("Model").select_option(route)
    page.get_by_label("Message", exact=True).fill(text)
    page.get_by_role("button", name="Run").click()


def open_playground(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/playground/")


def forgive_the_network(faults: list[str]) -> None:
    """Drop what a browser says of a server that is away."""
    told = ("Failed to load resource", "Failed to fetch")
    faults[:] = [fault for fault in faults if not any(words in fault for words in told)]


def final(page: Page) -> Locator:
    """Find the last answer as the server renders it when it is complete."""
    return page.locator("article.answer:not([data-live])").last


def live_text(page: Page) -> Locator:
    return page.locator("run-stream .prose")


def test_an_answer_streams_and_is_kept_with_its_figures(page: Page, server: Server) -> None:
    open_playground(page, server)
    ask(page, "Tell me about foxes", "demo")
    expect(live_text(page)).not_to_be_empty()
    figures = final(page).locator(".figures")
    expect(figures).to_contain_text(re.compile(r"First token\s*\d"))
    expect(figures).to_contain_text(re.compile(r"\d tok/s"))
    expect(figures).to_contain_text(re.compile(r"\d+ in, \d+ out"))
    expect(figures).to_contain_text("$0.00")
    assert re.search(r"/playground/[0-9a-f-]{36}/$", page.url)
    text = final(page).locator(".prose").inner_text()
    page.reload()
    assert final(page).locator(".prose").inner_text() == text
    expect(page.get_by_role("status").first).to_be_attached()


def test_the_first_visit_needs_one_press(page: Page, server: Server) -> None:
    open_playground(page, server)
    expect(page.get_by_label("Message", exact=True)).not_to_have_value("")
    expect(page.get_by_role("button", name="Run")).to_be_focused()
    page.keyboard.press("Enter")
    expect(final(page).locator(".figures")).to_be_visible()


def test_the_end_of_an_answer_and_its_figures_stay_in_sight(page: Page, server: Server) -> None:
    page.set_viewport_size({"width": 1280, "height": 500})
    open_playground(page, server)
    ask(page, "Tell me about foxes", "demo")
    expect(final(page).locator(".figures")).to_be_visible()
    page.wait_for_function(
        "document.documentElement.scrollHeight - innerHeight - scrollY < 2 && scrollY > 0"
    )


def test_a_reload_in_mid_stream_ends_with_the_same_text(
    page: Page, server: Server, upstream: FakeUpstream
) -> None:
    upstream.text = LONG
    open_playground(page, server)
    ask(page, "Hold on", "held")
    expect(live_text(page)).to_contain_text("bold10")
    before = live_text(page).inner_text()
    page.reload()
    expect(live_text(page)).to_contain_text("bold10")
    assert live_text(page).inner_text() == before
    upstream.release()
    expect(final(page).locator(".figures")).to_be_visible()
    assert final(page).locator(".prose").inner_text().strip() == LONG.replace("*", "")


def test_a_lost_connection_loses_and_doubles_nothing(
    page: Page, server: Server, upstream: FakeUpstream, faults: list[str]
) -> None:
    upstream.text = LONG
    open_playground(page, server)
    ask(page, "Hold on", "held")
    expect(live_text(page)).to_contain_text("bold10")
    page.context.set_offline(True)
    upstream.release()
    page.wait_for_timeout(1500)
    page.context.set_offline(False)
    expect(final(page).locator(".figures")).to_be_visible()
    assert final(page).locator(".prose").inner_text().strip() == LONG.replace("*", "")
    forgive_the_network(faults)


def test_two_tabs_follow_one_run(
    page: Page, context: BrowserContext, server: Server, upstream: FakeUpstream
) -> None:
    upstream.text = LONG
    open_playground(page, server)
    ask(page, "Hold on", "held")
    expect(live_text(page)).to_contain_text("bold10")
    other = context.new_page()
    other.goto(page.url)
    expect(live_text(other)).to_contain_text("bold10")
    upstream.release()
    for tab in (page, other):
        expect(final(tab).locator(".prose")).to_have_text(LONG.replace("*", ""))


def test_stop_keeps_the_text_and_books_its_cost(
    page: Page, server: Server, upstream: FakeUpstream
) -> None:
    upstream.text = LONG
    left = upstream.left_early
    open_playground(page, server)
    ask(page, "Hold on", "held")
    expect(live_text(page)).to_contain_text("bold10")
    page.get_by_role("button", name="Stop").click()
    expect(final(page)).to_contain_text("Stopped by you")
    expect(final(page).locator(".prose")).to_contain_text("bold10")
    expect(final(page).locator(".figures")).to_contain_text(re.compile(r"Cost\s*\$0\.0*[1-9]"))
    upstream.wait_until(left_early=left + 1)
    expect(page.get_by_role("button", name="Run")).to_be_visible()


def test_waiting_is_told_and_can_be_stopped(
    page: Page, server: Server, upstream: FakeUpstream
) -> None:
    open_playground(page, server)
    ask(page, "Hold on", "hold")
    expect(page.locator("[data-alive]")).to_contain_text(
        re.compile(r"Waiting for first token\s+[1-9]\.\d s")
    )
    page.keyboard.press("Escape")
    expect(final(page)).to_contain_text("before the first token")


def test_the_keyboard_is_enough(page: Page, server: Server) -> None:
    open_playground(page, server)
    page.locator("body").press("/")
    expect(page.get_by_label("Message", exact=True)).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("Tell me about keys")
    page.keyboard.press("Control+Enter")
    expect(final(page).locator(".figures")).to_be_visible()
    expect(page.get_by_label("Message", exact=True)).to_be_focused()
    page.keyboard.type("And locks")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Model")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Add pictures")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Run")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("article.question")).to_have_count(2)
    expect(final(page).locator(".figures")).to_be_visible()


def test_a_thread_goes_on_with_what_was_said(
    page: Page, server: Server, upstream: FakeUpstream
) -> None:
    open_playground(page, server)
    page.locator(".tuning summary").click()
    page.get_by_label("System prompt").fill("Be a fox.")
    page.get_by_label("Temperature").fill("0.3")
    page.get_by_label("Max tokens").fill("77")
    ask(page, "One", "slow")
    expect(final(page).locator(".figures")).to_be_visible()
    ask(page, "Two")
    expect(page.locator("article.answer .figures")).to_have_count(2)
    body = upstream.calls[-1].body
    assert [(m["role"], m["content"]) for m in body["messages"]] == [
        ("system", "Be a fox."),
        ("user", "One"),
        ("assistant", TEXT),
        ("user", "Two"),
    ]
    assert body["temperature"] == 0.3
    page.reload()
    expect(page.locator("[data-tuning]")).to_contain_text("Be a fox.")


def test_renaming_and_deleting_with_undo(page: Page, server: Server) -> None:
    open_playground(page, server)
    ask(page, "A question about ducks", "demo")
    expect(final(page).locator(".figures")).to_be_visible()
    past = page.locator("#past-side")
    expect(past).to_contain_text("A question about ducks")
    page.get_by_label("Rename or delete").click()
    page.get_by_role("button", name="Rename").click()
    page.get_by_label("Title", exact=True).fill("Ducks")
    page.get_by_label("Title", exact=True).press("Enter")
    expect(past.locator("[aria-current=page]")).to_contain_text("Ducks")
    page.get_by_label("Rename or delete").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("“Ducks” was deleted.")).to_be_visible()
    expect(past).not_to_contain_text("Ducks")
    page.get_by_role("button", name="Undo").click()
    expect(past.locator("[aria-current=page]")).to_contain_text("Ducks")


def test_titles_are_searched_as_one_types(page: Page, server: Server) -> None:
    open_playground(page, server)
    for text in ("About cats", "About dogs"):
        open_playground(page, server)
        ask(page, text, "demo")
        expect(final(page).locator(".figures")).to_be_visible()
    side = page.locator("aside.past")
    side.get_by_label("Search titles").fill("cats")
    expect(side.locator("li")).to_have_count(1)
    expect(side.locator("li")).to_contain_text("About cats")


def test_a_fallback_is_told_and_stays_told(page: Page, server: Server) -> None:
    open_playground(page, server)
    ask(page, "Who answers?", "safe")
    expect(final(page).locator(".figures")).to_be_visible()
    for _ in range(2):
        expect(final(page).get_by_text("Answered by a fallback")).to_be_visible()
        expect(final(page).locator("header")).to_contain_text("fake/fox")
        expect(final(page).locator(".told")).to_contain_text("fake/down-503")
        page.reload()


def test_a_cut_answer_keeps_its_text_and_says_whose_fault_it_is(
    page: Page, server: Server, upstream: FakeUpstream
) -> None:
    open_playground(page, server)
    ask(page, "Break off", "cut")
    fault = final(page).locator(".fault")
    expect(fault).to_contain_text("The answer broke off")
    expect(fault).to_contain_text("The provider is at fault")
    expect(fault).to_contain_text(re.compile(r"charged: \$0\.0"))
    expect(final(page).locator(".prose")).to_contain_text("The quick brown")
    upstream.plan("ok")
    page.get_by_role("button", name="Retry").click()
    expect(final(page).locator(".fault")).to_have_count(0)
    expect(final(page).locator(".prose")).to_have_text(TEXT)
    expect(page.locator("article.question")).to_have_count(1)


def test_a_killed_server_leaves_the_partial_text_and_retry(
    page: Page, server: Server, upstream: FakeUpstream, faults: list[str]
) -> None:
    upstream.text = LONG
    open_playground(page, server)
    ask(page, "Hold on", "held")
    expect(live_text(page)).to_contain_text("bold10")
    server.kill()
    expect(page.locator("[data-alive]")).to_contain_text("Connection lost")
    server.start()
    expect(final(page).locator(".fault")).to_contain_text("interrupted", timeout=35_000)
    expect(final(page).locator(".prose")).to_contain_text("bold10")
    upstream.release()
    upstream.plan("ok")
    page.get_by_role("button", name="Retry").click()
    expect(final(page).locator(".prose")).to_have_text(LONG.replace("*", ""))
    forgive_the_network(faults)


def test_a_server_that_is_asked_to_end_settles_what_is_open(
    page: Page, server: Server, upstream: FakeUpstream, faults: list[str]
) -> None:
    upstream.text = LONG
    held_before = server.python(_HELD)
    open_playground(page, server)
    ask(page, "Hold on", "held")
    expect(live_text(page)).to_contain_text("bold10")
    server.stop()
    assert server.python(_HELD) == held_before
    server.start()
    expect(final(page).locator(".fault")).to_contain_text("interrupted", timeout=35_000)
    expect(final(page).locator(".prose")).to_contain_text("bold10")
    expect(final(page).locator(".figures")).to_contain_text(re.compile(r"Cost\s*\$0\.0*[1-9]"))
    forgive_the_network(faults)


def test_earlier_messages_come_as_one_scrolls_up(page: Page, server: Server) -> None:
    open_playground(page, server)
    ask(page, "The last question", "demo")
    expect(final(page).locator(".figures")).to_be_visible()
    server.python(_LONG_PAST.format(thread=page.url.split("/")[-2]))
    page.reload()
    expect(page.locator("article")).to_have_count(30)
    expect(final(page).locator(".figures")).to_be_in_viewport()
    page.mouse.move(640, 300)
    page.mouse.wheel(0, -20_000)
    expect(page.get_by_text("Old message 0", exact=True)).to_be_attached()
    expect(page.locator("article")).to_have_count(52)


def test_a_draft_survives_a_reload(page: Page, server: Server) -> None:
    open_playground(page, server)
    page.get_by_label("Message", exact=True).fill("Half a thou")
    page.reload()
    expect(page.get_by_label("Message", exact=True)).to_have_value("Half a thou")


def test_a_draft_is_kept_when_the_server_is_away(
    page: Page, server: Server, faults: list[str]
) -> None:
    open_playground(page, server)
    page.context.set_offline(True)
    ask(page, "Precious words")
    expect(page.locator("[data-refusal]")).to_contain_text("cannot be reached")
    expect(page.get_by_label("Message", exact=True)).to_have_value("Precious words")
    page.context.set_offline(False)
    forgive_the_network(faults)


def test_nobody_else_opens_a_thread(
    page: Page,
    server: Server,
    chromium: object,
    sign_in: Callable[[BrowserContext], str],
    faults: list[str],
) -> None:
    open_playground(page, server)
    ask(page, "A secret", "demo")
    expect(final(page).locator(".figures")).to_be_visible()
    context = chromium.new_context()
    sign_in(context)
    other = context.new_page()
    assert other.goto(page.url).status == 404
    context.close()


def test_hostile_markdown_is_inert_while_it_streams_and_after(
    page: Page, server: Server, upstream: FakeUpstream
) -> None:
    upstream.text = (
        "[a](javascript:alert(1)) ![b](https://evil.example/x.png) <img src=x onerror=alert(2)> "
        "<script>alert(3)</script> [c](https://good.example) " + LONG
    )
    page.on("dialog", lambda _: pytest.fail("a script of the answer ran"))
    open_playground(page, server)
    ask(page, "Attack", "held")
    expect(live_text(page)).to_contain_text("bold10")
    for where in (live_text(page), final(page).locator(".prose")):
        expect(where).to_contain_text("bold10")
        assert where.locator("img, script").count() == 0
        links = where.locator("a[href]").evaluate_all("all => all.map(a => a.href)")
        assert "https://good.example/" in links
        assert not [link for link in links if link.startswith("javascript")]
        upstream.release()
        expect(final(page).locator(".figures")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_serious_for_axe(
    page: Page, server: Server, axe: Callable[[Page], None], scheme: str, width: int
) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 800})
    open_playground(page, server)
    axe(page)
    ask(page, "Tell me about code", "demo")
    expect(final(page).locator(".figures")).to_be_visible()
    ask(page, "Break off", "cut")
    expect(page.locator(".fault")).to_be_visible()
    page.locator(".tuning summary").click()
    axe(page)
    overflow = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert not overflow
