"""The response cache as an application sees it, through a real server."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from openai import BadRequestError

from providers.answer_cache import purges
from tests.journeys.gateway.world import World, eventually

PROMPT = [{"role": "user", "content": "What is cached?"}]


def ask(world: World, route: str, cache: str | None = None, **more: Any) -> Any:
    headers = {} if cache is None else {"x-gai-cache": cache}
    raw = world.client().chat.completions.with_raw_response
    body = {"model": route, "messages": PROMPT, "temperature": 0, **more}
    return raw.create(extra_headers=headers, **body)


def text_of(answer: Any) -> str:
    return answer.parse().choices[0].message.content


def test_the_second_ask_is_a_hit_at_no_cost_and_the_books_say_so(world: World) -> None:
    route = world.route("ok")
    first, second = ask(world, route), ask(world, route)
    assert "x-gai-cache" not in first.headers
    assert second.headers["x-gai-cache"].startswith("hit; age=")
    assert second.headers["x-gai-cache"].endswith("; tier=local")
    assert float(second.headers["x-gai-cost-usd"]) == 0
    assert text_of(first) == text_of(second)
    entries = world.entries(2)
    assert [cost == 0 for *_, cost in entries] == [False, True]
    world.settled()


def test_a_hit_streams_when_a_stream_is_asked(world: World) -> None:
    route = world.route("ok")
    text = text_of(ask(world, route))
    stream = world.client().chat.completions.create(
        model=route, messages=PROMPT, temperature=0, stream=True
    )
    assert stream.response.headers["x-gai-cache"].startswith("hit;")
    chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == text
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_the_header_switches_it_on_and_off(world: World) -> None:
    route = world.route("ok")
    hot = {"temperature": 1}
    ask(world, route, **hot)
    assert "x-gai-cache" not in ask(world, route, **hot).headers
    ask(world, route, "on", **hot)
    assert "x-gai-cache" in ask(world, route, "on", **hot).headers
    assert "x-gai-cache" not in ask(world, route, "off", **hot).headers
    with pytest.raises(BadRequestError, match="must be `on` or `off`"):
        ask(world, route, "perhaps")


def test_a_purge_reaches_the_running_server(world: World) -> None:
    route = world.route("ok")
    ask(world, route)
    eventually(lambda: "x-gai-cache" in ask(world, route).headers)
    purges.purge(None, world.team, route)
    connection.close()
    eventually(lambda: "x-gai-cache" not in ask(world, route).headers)


def test_another_teams_key_gets_its_own_answer(world: World) -> None:
    route = world.route("ok")
    ask(world, route)
    other = World.made(world.server, world.upstream, world.books)
    connection.close()
    assert "x-gai-cache" not in ask(other, route).headers
    other.close()


def test_scripts_are_told_the_same_of_the_cache_whole_and_streamed(world: World) -> None:
    body = {"model": world.route("ok"), "messages": PROMPT, "temperature": 1}

    def asked(cache: str, accept: str = "application/json") -> Any:
        return world.post(body, "/api/v1/answers", {"x-gai-cache": cache, "accept": accept})

    assert "x-gai-cache" not in asked("on").headers
    hit = asked("on")
    assert hit.headers["x-gai-cache"].startswith("hit; age=")
    assert (hit.json()["attempts"], hit.json()["deployment"][-3:]) == ([], "/ok")
    for accept in ("text/event-stream", "application/x-ndjson"):
        assert asked("on", accept).headers["x-gai-cache"].startswith("hit; age=")
    assert "x-gai-cache" not in asked("off").headers
    refused = asked("perhaps")
    assert (refused.status_code, refused.json()["error"]["context"]) == (
        400,
        {"path": "x-gai-cache"},
    )
