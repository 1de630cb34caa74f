"""An answer names its receipt, and only the key that asked may read it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import uuid4

import httpx

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
