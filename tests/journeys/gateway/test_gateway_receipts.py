"""An answer names its receipt, and only the key that asked may read it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import uuid4

import httpx
import pytest
from django.db import connection

from providers import virtual_keys
from tests.journeys.gateway.world import World, eventually

HI: Any = [{"role": "user", "content": "hi"}]


def read(world: World, path: str, secret: str | None = None) -> httpx.Response:
    with httpx.Client(trust_env=False) as http:
        sent = {"authorization": f"Bearer {secret or world.secret}"}
        return http.get(world.server.url + path, headers=sent)


def test_an_answer_names_its_receipt_whose_lines_add_up(world: World) -> None:
    world.budget(Decimal(5))
    route = world.route("down-503", "fox")
    answer = world.post({"model": route, "messages": HI})
    path = answer.headers["x-gai-receipt"]
    assert path == f"/v1/receipts/{answer.headers['x-request-id']}"
    told = read(world, path).json()
    assert (told["state"], told["cost_usd"]) == ("settled", answer.headers["x-gai-cost-usd"])
    failed, answered = told["attempts"][0], told["attempts"][-1]
    assert failed["error"]["http_status"] == 503
    lines = sum(Decimal(line["cost_usd"]) for line in answered["lines"])
    assert lines == Decimal(answered["cost_usd"]) == Decimal(told["cost_usd"])
    (budget,) = told["budgets"]
    assert Decimal(budget["spent_usd"]) == Decimal(budget["this_request_usd"]) == lines
    assert Decimal(told["holds"][0]["held_usd"]) > lines


def test_a_tag_goes_from_header_body_or_key_into_the_books(world: World) -> None:
    route = world.route("fox")
    _, world.secret = virtual_keys.issue(
        user=world.user, team=world.team, name="tagged", terms=virtual_keys.Terms(tag="of-key")
    )
    connection.close()
    body = {"model": route, "messages": HI}

    def tag_of(answer: httpx.Response) -> str:
        found = world.books.execute(
            "SELECT tag FROM providers_reservation WHERE id = %s", [answer.headers["x-request-id"]]
        ).fetchone()
        assert found is not None
        return str(found[0])

    spoken = {**body, "metadata": {"tag": "of-body"}}
    assert tag_of(world.post(body)) == "of-key"
    answer = world.post(spoken)
    assert tag_of(answer) == "of-body"
    assert tag_of(world.post(spoken, headers={"x-gai-tag": "of-header"})) == "of-header"
    assert read(world, answer.headers["x-gai-receipt"], world.secret).json()["tag"] == "of-body"


@pytest.mark.parametrize(
    ("headers", "metadata", "param"),
    [({"x-gai-tag": "two words"}, {}, "x-gai-tag"), ({}, {"tag": "a b"}, "metadata.tag")],
)
def test_what_is_no_tag_is_refused_by_its_name(
    world: World, headers: dict[str, str], metadata: dict[str, str], param: str
) -> None:
    body = {"model": "any", "messages": HI, "metadata": metadata}
    refused = world.post(body, headers=headers)
    error = refused.json()["error"]
    assert (refused.status_code, error["param"]) == (400, param)
    assert "letters, digits" in error["message"]


def test_a_stream_names_its_receipt_too(world: World) -> None:
    answer = world.post({"model": world.route("fox"), "messages": HI, "stream": True})
    told = eventually(lambda: read(world, answer.headers["x-gai-receipt"]).json())
    assert told["id"] == answer.headers["x-request-id"]


def test_another_key_and_an_unknown_id_find_nothing(world: World) -> None:
    path = world.post({"model": world.route("fox"), "messages": HI}).headers["x-gai-receipt"]
    _, other = virtual_keys.issue(user=world.user, team=world.team, name="other")
    for asked, secret in (
        (path, other),
        (f"/v1/receipts/{uuid4()}", world.secret),
        ("/v1/receipts/gpt-4o", world.secret),
    ):
        answer = read(world, asked, secret)
        assert (answer.status_code, "x-request-id" in answer.json()["error"]["message"]) == (
            404,
            True,
        )
