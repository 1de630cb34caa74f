"""The playground's addresses: whose they answer, and what they refuse."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from django.test import AsyncClient, Client
from django.urls import reverse
from django.utils import timezone

from conversations import history
from conversations.choices import Choices
from conversations.models import Conversation, Message, RunState
from conversations.runs import book, reaper, registry
from conversations.runs.desk import Desk
from conversations.threads import in_thread
from conversations.views import shown
from providers import gateway
from providers.catalog.snapshot import RouteInfo
from providers.event_stream import EventStreamResponse, last_event_id
from providers.ledger.balances import Balance
from providers.models import User
from tests.conversations.script import Script


@pytest.fixture
async def here(desk: Desk) -> AsyncIterator[Desk]:
    """Make the scripted desk the one of this loop."""
    loop = asyncio.get_running_loop()

    async def opened() -> Desk:
        return desk

    registry._desks[loop] = loop.create_task(opened())
    yield desk
    del registry._desks[loop]
    await gateway.stop()


@pytest.fixture
def client_of() -> object:
    def make(user: User) -> AsyncClient:
        client = AsyncClient()
        client.force_login(user)
        return client

    return make


def addresses(
    thread: Conversation, run_id: object, message_id: object
) -> Iterator[tuple[str, str]]:
    yield "get", reverse("conversations:thread", args=[thread.pk])
    yield "get", reverse("conversations:earlier", args=[thread.pk])
    yield "get", reverse("conversations:message", args=[message_id])
    yield "get", reverse("conversations:events", args=[run_id])
    yield "post", reverse("conversations:stop", args=[run_id])
    yield "post", reverse("conversations:run_in", args=[thread.pk])
    yield "post", reverse("conversations:retry", args=[thread.pk, message_id])
    yield "post", reverse("conversations:rename", args=[thread.pk])
    yield "post", reverse("conversations:delete", args=[thread.pk])
    yield "post", reverse("conversations:restore", args=[thread.pk])


async def test_a_thread_is_not_there_for_anybody_but_its_owner(
    here: Desk, thread: Conversation, ben: User, client_of: object
) -> None:
    ben.role = "owner"
    await in_thread(ben.save)
    order = await in_thread(book.begin, thread, book.Question("Hi"), 1)
    client = await in_thread(client_of, ben)
    for method, address in addresses(thread, order.run_id, order.message_id):
        data = {"text": "Hi", "route": "demo"} if method == "post" else {}
        response = await getattr(client, method)(address, data)
        assert response.status_code == 404, address
    assert "secret" not in str(await in_thread(lambda: history.page(ben, thread.team)))
    await in_thread(reaper.reap, timezone.now())


async def test_run_then_follow_then_the_message(
    here: Desk, script: Script, thread: Conversation, ada: User, client_of: object
) -> None:
    script.say("Hello there")
    client = await in_thread(client_of, ada)
    started = await client.post(
        reverse("conversations:run_in", args=[thread.pk]),
        {"text": "Hi", "route": "demo", "temperature": "0.2", "max_output_tokens": ""},
        headers={"HX-Request": "true"},
    )
    assert started.status_code == 200
    assert started["HX-Push-Url"] == f"/playground/{thread.pk}/"
    assert b"<run-stream" in started.content
    run = await thread.runs.aget()
    followed = await client.get(reverse("conversations:events", args=[run.pk]))
    assert followed["Content-Type"] == "text/event-stream"
    assert followed["Cache-Control"] == "no-cache, no-transform"
    body = b"".join([part async for part in followed.streaming_content])
    assert body.startswith(b"retry: 1000\n\n")
    assert b"event: finish\n" in body
    await thread.arefresh_from_db()
    assert thread.parameters == {"temperature": 0.2}
    message = await Message.objects.aget(role="assistant")
    final = await client.get(reverse("conversations:message", args=[message.pk]))
    assert b"<p>Hellothere</p>" in final.content
    assert b"run-stream" not in final.content


async def test_a_plain_form_without_script_is_sent_to_the_thread(
    here: Desk, script: Script, ada: User, client_of: object
) -> None:
    script.say("ok")
    client = await in_thread(client_of, ada)
    response = await client.post(
        reverse("conversations:run"), {"text": "A first question", "route": "demo"}
    )
    thread = await Conversation.objects.aget(title="A first question")
    assert response.status_code == 302
    assert response["Location"] == f"/playground/{thread.pk}/"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"text": "  ", "route": "demo"}, "Write a message first"),
        ({"text": "Hi", "route": ""}, "required"),
        ({"text": "Hi", "route": "demo", "temperature": "3"}, "less than or equal to 2"),
        ({"text": "Hi", "route": "demo", "max_output_tokens": "0"}, "greater than or equal to 1"),
    ],
)
async def test_a_wrong_form_is_refused_in_words(
    here: Desk, ada: User, client_of: object, fields: dict[str, str], words: str
) -> None:
    client = await in_thread(client_of, ada)
    response = await client.post(reverse("conversations:run"), fields)
    assert response.status_code == 422
    assert words in response.content.decode()
    assert not await Conversation.objects.aexists()


async def test_a_second_run_beside_a_living_one_is_refused(
    here: Desk, thread: Conversation, ada: User, client_of: object
) -> None:
    client = await in_thread(client_of, ada)
    address = reverse("conversations:run_in", args=[thread.pk])
    fields = {"text": "Hi", "route": "demo"}
    assert (await client.post(address, fields)).status_code == 302
    refused = await client.post(address, fields)
    assert refused.status_code == 409
    assert "still coming" in refused.content.decode()


def test_a_viewer_may_not_enter(person: object) -> None:
    client = Client()
    client.force_login(person("vera", role="viewer"))
    assert client.get(reverse("conversations:history")).status_code == 403


def page_with(routes: list[RouteInfo], **more: object) -> shown.Playground:
    fields = {
        "conversation": None,
        "choices": Choices("demo"),
        "bubbles": [],
        "earlier": None,
        "history": history.Page([], None),
        "routes": routes,
        "tools": [],
        "gauge": None,
        "starters": (("Title", "Text"),),
        "is_first": False,
        "deleted": None,
        "who_adds_routes": "Operator, Owner",
        "may_add_routes": False,
    }
    return shown.Playground(**{**fields, **more})


def rendered(page: shown.Playground) -> str:
    from django.template.loader import render_to_string

    return render_to_string("conversations/playground.html", {"page": page})


def test_without_a_route_the_page_says_who_adds_one() -> None:
    html = rendered(page_with([]))
    assert "No model is set up yet" in html
    assert "Operator, Owner" in html
    assert "chat-composer" not in html


def test_no_page_of_the_playground_has_inline_style_or_script() -> None:
    route = RouteInfo("demo", "demo", "demo", "demo", is_priced=True, created_at=timezone.now())
    html = rendered(page_with([route]))
    assert "<chat-composer" in html
    assert " style=" not in html
    assert "<script>" not in html
    assert " onclick" not in html


def test_a_thread_whose_route_is_gone_asks_for_another() -> None:
    route = RouteInfo("demo", "demo", "demo", "demo", is_priced=True, created_at=timezone.now())
    html = rendered(page_with([route], choices=Choices("old")))
    assert '<option value="" selected>old · no longer here</option>' in html


def balance(spent: int, *, is_hard: bool = True, limit: int = 100) -> Balance:
    now = timezone.now()
    return Balance(1, "org", None, "month", is_hard, limit, spent, 0, now, now, "UTC")


def test_the_gauge_shows_the_hard_budget_that_ends_first() -> None:
    gauge = shown.gauge_of([
        balance(99, is_hard=False),
        balance(10),
        balance(85),
    ])
    assert gauge is not None
    assert (gauge.left_nano, gauge.tone) == (15, "warn")
    assert shown.gauge_of([]) is None
    empty = shown.gauge_of([balance(100)])
    assert empty is not None
    assert empty.tone == "bad"


def test_no_rate_is_made_up(thread: Conversation) -> None:
    order = book.begin(thread, book.Question("Hi"), 1)
    ending = book.Ending(RunState.DONE, text="x", ttft_ms=100, duration_ms=110, output_tokens=5)
    book.conclude(order, ending, [])
    bubble = shown.bubble_of(Message.objects.get(pk=order.message_id))
    assert bubble.figures is not None
    assert bubble.figures.tokens_per_s is None
    assert bubble.figures.cost_nano is None


def test_a_number_that_is_not_ours_is_no_last_event_id() -> None:
    assert last_event_id("12") == 12
    for strange in (None, "", "-1", "1.5", "x", "²", "9" * 5000):
        assert last_event_id(strange) is None


async def test_a_stream_is_closed_when_the_client_goes_in_the_middle() -> None:
    closed = asyncio.Event()

    async def numbers() -> AsyncIterator[int]:
        try:
            for n in range(1000):
                yield n
        finally:
            closed.set()

    def framed(number: int) -> bytes:
        return str(number).encode()

    response = await EventStreamResponse.open(numbers(), render=framed)
    frames = aiter(response)
    assert await anext(frames) == b"retry: 1000\n\n0"
    assert await anext(frames) == b"1"
    await frames.aclose()
    assert closed.is_set()


async def test_a_refusal_before_the_first_event_rises() -> None:
    async def refuse() -> AsyncIterator[int]:
        raise LookupError
        yield 0

    with pytest.raises(LookupError):
        await EventStreamResponse.open(refuse(), render=str.encode)
