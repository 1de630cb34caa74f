"""`Idempotency-Key`: a request that is sent twice is answered once, through a real server."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from django.db import connection

from tests.journeys.gateway.world import World, eventually
from tests.upstream import TEXT

KEY = "order-7-canary"
PATHS = ("/v1/chat/completions", "/api/v1/answers")


def asked(route: str, text: str = "Hello, canary") -> dict[str, Any]:
    return {"model": route, "messages": [{"role": "user", "content": text}], "temperature": 1}


def ask(world: World, body: Any, path: str = PATHS[0], key: str = KEY, **more: Any) -> Any:
    return world.post(body, path, {"idempotency-key": key}, **more)


@pytest.mark.parametrize("path", PATHS)
def test_the_same_key_gets_the_same_answer_and_no_second_charge(world: World, path: str) -> None:
    body = asked(world.route("ok"))
    first, second = ask(world, body, path), ask(world, body, path)
    assert first.status_code == second.status_code == 200
    assert first.content == second.content
    assert TEXT in first.text
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert first.headers.get("x-gai-cost-usd") == second.headers.get("x-gai-cost-usd")
    assert len(world.upstream.calls) == 1
    assert len(world.entries(1)) == 1
    world.settled()


@pytest.mark.parametrize("path", PATHS)
def test_the_same_key_with_another_request_is_refused_in_words(world: World, path: str) -> None:
    route = world.route("ok")
    ask(world, asked(route), path)
    other = ask(world, asked(route, "Something else"), path)
    assert other.status_code == 422
    assert "Take a new key" in other.json()["error"]["message"]
    assert len(world.upstream.calls) == 1


@pytest.mark.parametrize("path", PATHS)
def test_who_comes_while_the_first_is_answered_is_told_to_come_again(
    world: World, path: str
) -> None:
    body = asked(world.route("ok"))
    world.upstream.hold()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(ask, world, body, path)
        eventually(lambda: world.upstream.calls)
        early = ask(world, body, path)
        world.upstream.release()
        answered = first.result(10)
    assert early.status_code == 409
    assert early.headers["retry-after"] == "2"
    if path.startswith("/v1"):
        assert early.headers["x-should-retry"] == "true"
        assert early.json()["error"]["code"] == "idempotency_key_in_use"
    assert ask(world, body, path).content == answered.content
    assert len(world.upstream.calls) == 1


def test_an_answer_whose_caller_has_gone_is_there_when_they_come_back(world: World) -> None:
    body = asked(world.route("ok"))
    world.upstream.hold()
    with pytest.raises(httpx.ReadTimeout):
        ask(world, body, timeout=0.5)
    world.upstream.release()
    back = eventually(lambda: (answer := ask(world, body)).status_code == 200 and answer)
    assert TEXT in back.text
    assert back.headers["idempotent-replayed"] == "true"
    assert len(world.upstream.calls) == 1
    assert [status for _, status, *_ in world.entries(1)] == ["ok"]


def test_a_failure_frees_the_key(world: World) -> None:
    body = asked(world.route("ok"))
    world.upstream.plan("400")
    assert ask(world, body).status_code == 400
    again = ask(world, body)
    assert again.status_code == 200
    assert "idempotent-replayed" not in again.headers


def test_another_callers_key_of_the_same_name_is_another_key(world: World) -> None:
    body = asked(world.route("ok"))
    ask(world, body)
    other = World.made(world.server, world.upstream, world.books)
    connection.close()
    assert "idempotent-replayed" not in ask(other, body).headers
    other.close()


def test_after_a_day_or_when_its_maker_is_gone_a_key_is_free(world: World) -> None:
    body = asked(world.route("ok"))
    ask(world, body)

    def age(by: str, change: str = "") -> None:
        world.books.execute(
            f"UPDATE providers_keptreply SET at = at - %s::interval {change} WHERE team_id = %s",
            [by, world.team.pk],
        )

    age("25 hours")
    assert "idempotent-replayed" not in ask(world, body).headers
    age("14 minutes", ", value = NULL")
    assert ask(world, body).status_code == 409
    age("2 minutes")
    assert ask(world, body).status_code == 200
    assert len(world.upstream.calls) == 3


@pytest.mark.parametrize(
    ("change", "key"), [({"stream": True}, KEY), ({}, "x" * 256), ({}, "tab\tin it")]
)
def test_a_key_that_cannot_be_kept_is_refused(
    world: World, change: dict[str, Any], key: str
) -> None:
    answer = ask(world, {**asked(world.route("ok")), **change}, key=key)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "idempotency-key"
    assert not world.upstream.calls


def test_what_is_kept_shows_neither_key_nor_prompt_nor_answer(world: World) -> None:
    ask(world, asked(world.route("ok")))
    (row,) = world.books.execute(
        "SELECT digest, fingerprint, value FROM providers_keptreply WHERE team_id = %s",
        [world.team.pk],
    ).fetchall()
    for value in row:
        assert b"canary" not in bytes(value)
        assert b"fox" not in bytes(value)
