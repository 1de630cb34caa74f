"""From a file to a table of answers, as a browser asks it, over the built-in demo."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from conversations.batches import desk
from conversations.models import BatchJob, BatchState
from gaiweb.celery import app
from providers import catalog, gateway
from providers.ledger import budgets, check
from providers.models import Entry, User
from tests.conversations.batches.conftest import Make

NEW = "/playground/batches/new/"
PROMPTS = 'id,prompt\na,"What is 1 + 1?"\nb,=SUM(A1)\nc,"What is 2 + 2?"\n'


class Browser(Client):
    """Each request has a loop of its own; what the engine opened there is closed with it."""

    def request(self, **request: Any) -> Any:
        async def ask() -> Any:
            try:
                return await sync_to_async(super(Browser, self).request)(**request)
            finally:
                await gateway.stop()

        return async_to_sync(ask)()


@pytest.fixture
def client(ada: User) -> Client:
    price = catalog.OwnPrice(Decimal(1), Decimal(2))
    catalog.add_provider(name="demo", kind="demo")
    for model in ("demo", "demo-garbled"):
        catalog.add_route(name=model, targets=[f"demo/{model}"], prices=price, max_output=8)
    client = Browser()
    client.force_login(ada)
    return client


@pytest.fixture
def _at_once() -> Iterator[None]:
    """Let a bell be answered where it is rung, as a worker would."""
    # Tasks belong to the current application, and another test may have made one of its own.
    app.set_current()
    app.conf.task_always_eager = True
    yield
    app.conf.task_always_eager = False
    gateway.stop_running()


def send(client: Client, content: str, name: str = "sums.csv", **fields: Any) -> Any:
    file = SimpleUploadedFile(name, content.encode())
    return client.post(NEW, {"file": file, "route": "demo", "temperature": "0", **fields})


def file_of(response: Any) -> str:
    async def read() -> bytes:
        return b"".join([piece async for piece in response.streaming_content])

    return async_to_sync(read)().decode()


def body(response: Any) -> str:
    return str(response.content.decode())


@pytest.mark.usefixtures("_at_once")
def test_from_a_file_to_a_table_of_answers(client: Client) -> None:
    sent = send(client, PROMPTS, system_prompt="Be brief.")
    batch = BatchJob.objects.get()
    place = reverse("conversations:batch", args=[batch.pk])
    assert (sent.status_code, sent["Location"]) == (302, place)
    draft = body(client.get(place))
    assert "Not started" in draft
    assert "May cost at most" in draft
    assert "What is 1 + 1?" in draft
    assert not Entry.objects.exists()

    client.post(reverse("conversations:batch_start", args=[batch.pk]))
    batch.refresh_from_db()
    assert batch.state == BatchState.DONE
    done = body(client.get(reverse("conversations:batch_progress", args=[batch.pk])))
    assert "3 of 3" in done
    assert "hx-trigger" not in done
    assert set(Entry.objects.values_list("source", "user_id")) == {("batch", batch.user_id)}
    spent = sum(Entry.objects.values_list("cost_nano", flat=True))
    assert 0 < spent <= (batch.worst_nano or 0)
    assert check.run().is_clean

    file = client.get(reverse("conversations:batch_csv", args=[batch.pk]))
    assert file["Content-Disposition"] == 'attachment; filename="sums-results.csv"'
    rows = list(csv.DictReader(StringIO(file_of(file))))
    assert [(row["id"], row["state"]) for row in rows] == [(key, "done") for key in "abc"]
    # A spreadsheet would run it.
    assert rows[1]["prompt"] == "'=SUM(A1)"
    assert all(row["answer"] and row["model"] == "demo/demo" for row in rows)
    lines = client.get(reverse("conversations:batch_jsonl", args=[batch.pk]))
    told = [json.loads(line) for line in file_of(lines).splitlines()]
    assert told[1]["prompt"] == "=SUM(A1)"
    assert Decimal(told[0]["cost_usd"]) > 0
    receipt = client.get(reverse("providers:receipt", args=[told[0]["request_id"]]))
    assert receipt.status_code == 200
    assert "sums.csv" in body(client.get(reverse("conversations:batches")))


@pytest.mark.usefixtures("_at_once")
def test_a_spent_budget_pauses_in_words_and_a_larger_one_lets_it_go_on(client: Client) -> None:
    def limit(usd: str) -> None:
        scope = budgets.parse_scope("org")
        budgets.set_budget(scope=scope, limit_usd=Decimal(usd), period="total", is_hard=True)

    limit("0.000001")
    send(client, PROMPTS)
    batch = BatchJob.objects.get()
    place = reverse("conversations:batch", args=[batch.pk])
    assert "It may not fit the budget" in body(client.get(place))
    start = reverse("conversations:batch_start", args=[batch.pk])
    client.post(start)
    paused = body(client.get(place))
    assert "Paused:" in paused
    assert "total budget of the organisation" in paused
    assert "Go on" in paused
    limit("1")
    client.post(start)
    assert "3 of 3" in body(client.get(place))


@pytest.mark.usefixtures("_at_once")
def test_what_failed_is_shown_with_its_reason_and_asked_again_by_a_button(client: Client) -> None:
    send(client, "one\ntwo\n", "list.txt", route="demo-garbled")
    batch = BatchJob.objects.get()
    client.post(reverse("conversations:batch_start", args=[batch.pk]))
    page = body(client.get(reverse("conversations:batch", args=[batch.pk])))
    assert "Ask 2 again" in page
    assert "sent something that is not JSON" in page
    BatchJob.objects.update(route="demo")
    client.post(reverse("conversations:batch_retry", args=[batch.pk]))
    assert list(batch.items.values_list("state", flat=True)) == ["done", "done"]
    assert client.post(reverse("conversations:batch_delete", args=[batch.pk])).status_code == 302
    assert not BatchJob.objects.exists()


@pytest.mark.parametrize(
    ("content", "name", "fields", "words"),
    [
        ("prompt,id\n,7\nb,8\n,9\n", "a.csv", {}, ["Line 2: the prompt is empty", "Line 4"]),
        ("{", "a.jsonl", {}, ["Line 1: this is not JSON."]),
        ("a", "a.txt", {"text": "b"}, ["send one of them"]),
        ("a", "a.txt", {"temperature": "3"}, ["less than or equal to 2"]),
        ("a", "a.txt", {"route": "nope"}, ["nope is not one of the available choices"]),
        ("\n".join(f"{n}" for n in range(5001)), "a.txt", {}, ["at most 5,000"]),
        ("x" * 5_000_001, "a.txt", {}, ["at most 5,000,000 are taken"]),
        ("x" * 4_000_001, "a.txt", {}, ["Line 1: messages.0 has 4,000,001 characters"]),
    ],
)
def test_what_cannot_be_taken_is_named_by_line_and_field(
    client: Client, content: str, name: str, fields: dict[str, str], words: list[str]
) -> None:
    answer = send(client, content, name, **fields)
    assert answer.status_code == 422
    assert all(each in body(answer).replace("&#x27;", "'") for each in words), body(answer)
    assert not BatchJob.objects.exists()


def test_pasted_prompts_are_one_a_line_and_cancelled_by_a_button(client: Client) -> None:
    client.post(NEW, {"text": "Write a haiku.\nWrite a limerick.\n", "route": "demo"})
    batch = BatchJob.objects.get()
    assert batch.name == "Write a haiku."
    BatchJob.objects.update(state=BatchState.RUNNING)
    page = body(client.get(reverse("conversations:batch", args=[batch.pk])))
    assert "hx-trigger" in page
    client.post(reverse("conversations:batch_cancel", args=[batch.pk]))
    assert "Cancelled" in body(client.get(reverse("conversations:batch", args=[batch.pk])))


def test_a_batch_is_its_persons_own(client: Client, batch_of: Make, ben: User) -> None:
    batch = batch_of("a")
    other = Client()
    other.force_login(ben)
    for name in ("", "_progress", "_csv", "_jsonl"):
        address = reverse(f"conversations:batch{name}", args=[batch.pk])
        assert client.get(address).status_code == 200
        assert other.get(address).status_code == 404
    for name in ("_start", "_cancel", "_retry", "_delete"):
        assert other.post(reverse(f"conversations:batch{name}", args=[batch.pk])).status_code == 404
    assert "Colours" not in body(other.get(reverse("conversations:batches")))


def test_one_runner_a_process_however_often_the_bell_rings(client: Client) -> None:
    assert desk._alone.acquire(blocking=False)
    try:
        assert desk.work() is False
    finally:
        desk._alone.release()
